"""Detectors as files for other programs, and `predict` with them, without torch in memory."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from drawn_clips import drawn, write_clip
from tiny import TinyRun

from difffake.commands.main import main
from difffake.errors import UserError
from difffake.faces.crops import resize_crops
from difffake.faces.images import write_png
from difffake.files import sha256
from difffake.predict.agreement import Difference
from difffake.predict.export import check, copy_companions, load_exportable, torch_runner
from difffake.predict.onnx_scorer import KEY, Facts, OnnxScorer
from difffake.predict.quantize import auc_loss
from difffake.predict.scorer import Scores
from difffake.predict.torch_scorer import TorchScorer


@pytest.fixture(scope="module", autouse=True)
def _few_turns() -> Iterator[None]:
    """Speeds are measured in benchmarks/export.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("difffake.predict.export.TURNS", 1)
        yield


@pytest.fixture(scope="module")
def exported(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector as an ONNX file, with its anomaly model and a calibration beside it."""
    path = tmp_path_factory.mktemp("exported") / "detector.onnx"
    assert main(["export", "--ckpt", str(tiny_run.folder), "--out", str(path)]) == 0
    command = ["calibrate", "--ckpt", tiny_run.ckpt, "--manifest", tiny_run.unseen, "--split", "test"]
    assert main([str(part) for part in (*command, "--out", path.parent / "calibration.json")]) == 0
    assert (path.parent / "anomaly.safetensors").is_file()  # copied by the command
    return path


def crops(count: int) -> list[np.ndarray]:
    """Drawn faces of several sizes."""
    return [drawn(seed)[0][: 160 - seed, : 160 - seed] for seed in range(count)]


def test_the_file_gives_the_checkpoints_scores_for_any_batch(exported: Path, tiny_run: TinyRun) -> None:
    scorer, reference = OnnxScorer(exported), TorchScorer(tiny_run.ckpt, "cpu")
    for count in (1, 3, 35):
        found, expected = scorer(crops(count)), reference(crops(count))
        np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-4)
    facts = scorer.facts
    assert (facts.checkpoint, facts.precision) == (sha256(tiny_run.ckpt), "float32")
    assert (facts.image_size, facts.encoder) == (64, reference.info.config.name)
    assert (facts.margin, facts.threshold) == (reference.info.margin, reference.info.threshold)
    assert facts.trained_on == reference.info.trained_on
    (images,) = onnx.load(exported).graph.input
    assert [side.dim_value for side in images.type.tensor_type.shape.dim] == [0, 3, 64, 64]  # 0 = any


def test_calibration_and_anomaly_model_come_along(tiny_run: TinyRun, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(tiny_run.folder, run)
    out.mkdir()
    (run / "calibration.json").write_text("{}")
    (out / "anomaly.safetensors").write_bytes(b"another")
    copied, kept = copy_companions(run, out)
    assert (out / "calibration.json").read_text() == "{}"
    assert copied.startswith(f"{out / 'calibration.json'}: copied")
    assert (out / "anomaly.safetensors").read_bytes() == b"another"
    assert kept.startswith(f"{out / 'anomaly.safetensors'} is another than")
    assert copy_companions(run, run) == []


@pytest.fixture
def in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are run by torch, with which files are compared."""
    monkeypatch.setattr("difffake.predict.compiled_scorer.kept_scorer", lambda *_: None)
    monkeypatch.setattr("difffake.predict.compiled_scorer.compiled_scorer", lambda _: None)


@pytest.mark.usefixtures("in_torch")
def test_predict_gives_the_same_without_torch(
    exported: Path, tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "a.png", drawn(1)[0])
    write_clip(tmp_path / "b.mp4", [np.roll(drawn(2)[0], number, axis=1) for number in range(8)])
    files = [str(tmp_path / name) for name in ("a.png", "b.mp4")]
    options = ["--cropped", "--json", "--frames", "6", "--reference", files[0]]
    options += ["--calibration", str(exported.parent / "calibration.json")]
    code = "import sys; from difffake.commands.main import main; status = main(sys.argv[1:]); "
    code += "heavy = {'torch', 'lightning', 'timm'} & set(sys.modules); sys.exit(f'{heavy}' if heavy else status)"
    command = [sys.executable, "-c", code, "predict", *files, *options, "--onnx", str(exported)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert main(["predict", *files, *options, "--ckpt", str(tiny_run.ckpt), "--device", "cpu"]) == 0
    answers = [[json.loads(line) for line in text.splitlines()] for text in (done.stdout, capsys.readouterr().out)]
    assert [len(answer["people"][0]["faces"]) for answer in answers[0]] == [1, 6]
    assert all(answer["people"][0][score] for answer in answers[0] for score in ("anomaly", "fusion"))
    same(*answers)


def same(one: Any, other: Any) -> None:
    """Equal, but for rounding errors of numbers and the time it took."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one.keys() - {"seconds"}:
            same(one[key], other[key])
    elif isinstance(one, list):
        for first, second in zip(one, other, strict=True):
            same(first, second)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4)
    else:
        assert one == other


@pytest.mark.usefixtures("in_torch")
def test_real_pictures_have_the_same_scores(
    exported: Path, tiny_run: TinyRun, shared_data: Path, landmarker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(shared_data / "london" / "001" / "neutral.jpg"), str(shared_data / "clips" / "grid_bbaf2n.mpg")]
    options = ["--json", "--frames", "3", "--landmarker", str(landmarker), "--anomaly", "none"]
    answers = []
    for detector in (["--onnx", str(exported), "--calibration", "none"], ["--ckpt", str(tiny_run.ckpt)]):
        assert main(["predict", *files, *options, *detector]) == 0
        answers.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    same(*answers)


@pytest.mark.parametrize("damage", ["text", "cut", "foreign", "other facts", "folder", "absent", "checkpoint"])
def test_other_files_are_refused_in_one_line(
    exported: Path, tiny_run: TinyRun, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, content = tmp_path / "x.onnx", exported.read_bytes()
    if damage == "text":
        path.write_text("not a network")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage in ("foreign", "other facts"):
        model = onnx.load(exported)
        del model.metadata_props[:]
        if damage == "other facts":
            onnx.helper.set_model_props(model, {KEY: json.dumps({"version": "9"})})
        onnx.save(model, path)
    elif damage == "folder":
        path.mkdir()
    elif damage == "checkpoint":
        path = tiny_run.ckpt
    write_png(tmp_path / "a.png", drawn(1)[0])
    assert main(["predict", "--onnx", str(path), "--cropped", str(tmp_path / "a.png")]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert path.name in line
    assert "export" in line


def test_one_of_checkpoint_and_file_is_needed_and_only_the_cpu(
    exported: Path, tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--onnx", str(exported), "--ckpt", str(tiny_run.ckpt)]
    assert main(["predict", "a.png", *both]) == 2
    assert main(["predict", "a.png", "--onnx", str(exported), "--device", "cuda"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "--onnx" in said[0]
    assert "runs on the CPU" in said[1]


def test_a_missing_package_is_named(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("difffake.commands.export.find_spec", lambda name: None)
    assert main(["export", "--ckpt", str(tiny_run.folder), "--out", str(tmp_path / "x.onnx")]) == 1
    assert "onnxscript: pip install 'difffake[onnx]'" in capsys.readouterr().err


def test_a_program_of_torch_export(tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here of the package's detector, for which the tiny one stands in."""
    path = tmp_path / "detector.pt2"
    monkeypatch.setattr("difffake.commands.export.find_model", {None: tiny_run.folder}.__getitem__)
    assert main(["export", "--out", str(path), "--format", "torch"]) == 0
    reference = TorchScorer(tiny_run.ckpt, "cpu")
    for count in (1, 3):
        found = torch_runner(path)(resize_crops(crops(count), 64))
        np.testing.assert_allclose(found.logits, reference(crops(count)).logits, atol=1e-4)
    extra = {"difffake.json": ""}
    torch.export.load(path, extra_files=extra)
    assert Facts.from_json(extra["difffake.json"]).checkpoint == sha256(tiny_run.ckpt)


def test_int8_is_measured_and_takes_no_calibration_of_float32(
    exported: Path, tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from difffake.data.manifest import Manifest

    path = tmp_path / "int8.onnx"
    command = ["export", "--ckpt", tiny_run.folder, "--out", path, "--int8"]
    assert main([str(part) for part in command]) == 2
    assert "--manifest" in capsys.readouterr().err
    assert main([str(part) for part in (*command, "--manifest", tiny_run.unseen)]) == 1
    assert "no crops of the split train" in capsys.readouterr().err
    assert not path.exists()
    assert main([str(part) for part in (*command, "--manifest", tiny_run.seen, "--limit", "20")]) == 0
    assert "AUC per frame" in capsys.readouterr().out
    scorer, whole = OnnxScorer(path), OnnxScorer(exported)
    assert scorer.facts.precision == "int8"
    assert path.stat().st_size < 0.4 * exported.stat().st_size
    found, expected = scorer(crops(20)), whole(crops(20))
    assert np.corrcoef(found.logits, expected.logits)[0, 1] > 0.9
    loss = auc_loss(whole, scorer, Manifest.read(tiny_run.seen), 0)
    assert loss
    own = Manifest.read(tiny_run.seen).select(split="test")
    assert loss.real + loss.fake == len(own)
    assert loss.low <= loss.difference <= loss.high or np.isnan(loss.low)
    shutil.copy(exported.parent / "calibration.json", tmp_path)
    assert main(["predict", "--onnx", str(path), "--cropped", "a.png"]) == 1
    assert "calibrates another checkpoint" in capsys.readouterr().err


def test_a_file_that_differs_is_an_error(tiny_run: TinyRun) -> None:
    _, facts = load_exportable(tiny_run.ckpt)

    def run(images: np.ndarray) -> Scores:
        return Scores(images.mean(axis=(1, 2, 3)) / 255, images.reshape(len(images), -1)[:, :4] / 255)

    assert check(run, run, facts) == Difference(0, 0)
    with pytest.raises(UserError, match="nothing was written"):
        check(run, lambda images: Scores(run(images).logits + 2e-4, run(images).embeddings), facts)
    with pytest.raises(UserError, match="nothing was written"):
        check(run, lambda images: Scores(run(images).logits, run(images).embeddings + np.nan), facts)
