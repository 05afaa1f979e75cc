"""`difffake calibrate`, and what evaluate and predict make of its file."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_clips import write_clip
from PIL import Image
from scipy.special import expit
from tiny import TinyRun

from difffake.commands.main import main
from difffake.evaluation.calibration import Calibration, read_calibration
from difffake.files import sha256
from difffake.metrics import brier, ece
from difffake.models.checkpoint import load_detector
from difffake.predict.predictor import Predictor


@pytest.fixture(scope="module")
def run(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """The small run with a calibration; the folder of other tests stays without."""
    folder = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(tiny_run.folder, folder)
    before = sha256(folder / "best.ckpt")
    assert calibrate(folder, tiny_run.seen) == 0
    assert sha256(folder / "best.ckpt") == before
    return TinyRun(tiny_run.seen, tiny_run.unseen, folder)


def calibrate(folder: Path, manifest: Path, *options: object) -> int:
    return main(["calibrate", "--ckpt", str(folder), "--manifest", str(manifest), "--workers", "0", *map(str, options)])


def evaluate(run: TinyRun, out: Path, *options: object, manifest: Path | None = None) -> int:
    fixed = ["--ckpt", run.folder, "--manifest", manifest or run.unseen, "--out", out, "--workers", "0"]
    return main(["evaluate", *map(str, fixed), "--resamples", "20", *map(str, options)])


def calibration(run: TinyRun) -> Calibration:
    return read_calibration(run.folder / "calibration.json", run.ckpt, run.folder / "anomaly.safetensors")


def test_all_scores_and_levels_on_the_validation_split(run: TinyRun) -> None:
    found = calibration(run)
    assert {(name, level) for name, levels in found.scores.items() for level in levels} == {
        (name, level) for name in ("classifier", "anomaly", "fusion") for level in ("frame", "video")
    }
    assert (found.fakes, found.method) == ("manifest", "temperature")
    table = pd.read_parquet(run.seen / "manifest.parquet").query("split == 'val'")
    frame = found.scores["classifier"]["frame"]
    assert len(frame.real.score) == (table["label"] == 0).sum()
    assert frame.real.units == table[table["label"] == 0]["video"].nunique()
    assert len(frame.fake.score) == (table["label"] == 1).sum()
    names = {f"identity drawn-a/{name}" for name in table["identity"]}
    assert names <= found.keys
    _, info = load_detector(run.ckpt)
    assert names <= info.validation_keys < info.training_keys


def test_evaluate_reports_calibrated_probabilities_the_fusion_and_the_promise(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(run, tmp_path / "out") == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    found = calibration(run)
    for row in content["rows"]:
        if row["level"] == "frame":
            part = scores[scores["score"] == row["score"]]
            one = found.at(row["score"], "frame")
            assert one is not None
            probability = one.to_probability(part["value"])
            assert row["ece_calibrated"] == pytest.approx(ece(part["label"], probability))
            assert row["brier_calibrated"] == pytest.approx(brier(part["label"], probability))
            if row["score"] == "anomaly":
                assert row["ece"] is row["brier"] is None
                assert row["acc_at_half"] == pytest.approx(((probability >= 0.5) == part["label"]).mean())
            else:
                assert row["brier"] == pytest.approx(brier(part["label"], expit(part["value"])))
    assert {row["score"] for row in content["rows"]} == {"classifier", "anomaly", "fusion"}
    wide = scores.pivot(index="path", columns="score", values="value").dropna()
    fusion = found.fusion
    assert fusion is not None
    wanted = fusion.classifier * wide["classifier"] + fusion.anomaly * wide["anomaly"] + fusion.intercept
    np.testing.assert_allclose(wide["fusion"], wanted)
    assert len(content["domains"]) == 6
    (one,) = content["domains"][0]["sets"]
    # Two validation people: nothing can be promised, so nothing is called fake.
    assert [promise["enough"] for promise in one["promised"]] == [False, False]
    assert [promise["fake_above"] for promise in one["promised"]] == [None, None]
    said = capsys.readouterr()
    assert max(map(len, said.out.splitlines())) <= 100
    assert "too few real faces calibrated" in " ".join(said.out.split())
    text = (tmp_path / "out" / "results.md").read_text()
    assert "Across data sets, video level, fusion score" in text
    assert "calibrated ECE" in text


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "results.json").read_text())["rows"]


def test_calibration_and_fusion_can_be_left_out_or_chosen(
    run: TinyRun, tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(run, tmp_path / "none", "--calibration", "none") == 0
    assert {row["score"] for row in rows_of(tmp_path / "none")} == {"classifier", "anomaly"}
    assert all(row["ece_calibrated"] is None for row in rows_of(tmp_path / "none"))
    assert evaluate(run, tmp_path / "rank", "--fusion", "rank", "--calibration", "none") == 0
    assert {row["score"] for row in rows_of(tmp_path / "rank")} == {"classifier", "anomaly", "rank mean"}
    assert evaluate(run, tmp_path / "off", "--fusion", "none") == 0
    assert {row["score"] for row in rows_of(tmp_path / "off")} == {"classifier", "anomaly"}
    capsys.readouterr()
    assert evaluate(tiny_run, tmp_path / "no", "--fusion", "logistic") == 1
    assert "run difffake calibrate" in capsys.readouterr().err
    assert evaluate(tiny_run, tmp_path / "no", "--calibration", tmp_path / "gone.json") == 1
    assert "gone.json does not exist" in capsys.readouterr().err


def test_pseudo_deepfakes_where_the_manifest_has_no_fakes(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.json"
    assert calibrate(run.folder, run.seen, "--fakes", "pseudo", "--method", "isotonic", "--out", out) == 0
    said = capsys.readouterr().err
    assert "pseudo-deepfakes" in said
    found = read_calibration(out, run.ckpt)
    frame = found.scores["classifier"]["frame"]
    assert found.fakes == "pseudo"
    assert len(frame.fake.score) == len(frame.real.score)
    # Real faces are those of the manifest, unaltered: the same scores as with the manifest's fakes.
    np.testing.assert_allclose(frame.real.score, calibration(run).scores["classifier"]["frame"].real.score, atol=1e-5)
    assert calibrate(run.folder, run.seen, "--fakes", "pseudo", "--out", out) == 1
    assert "exists already" in capsys.readouterr().err


def test_data_that_trained_or_calibrated_are_refused(
    run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", tmp_path / "c.json"]
    for split in ("train", "all"):
        assert calibrate(run.folder, run.seen, "--split", split, *out) == 1
        assert f"split {split}, shares" in capsys.readouterr().err
    assert calibrate(run.folder, run.unseen, *out) == 1
    assert "has no real faces in the split val" in capsys.readouterr().err
    # Calibrated on the other data set, the detector cannot be tested on it.
    assert calibrate(run.folder, run.unseen, "--split", "test", *out) == 0
    assert evaluate(run, tmp_path / "out", "--calibration", tmp_path / "c.json") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"with the data that calibrated {tmp_path / 'c.json'} (" in said
    assert "--calibration none" in said
    assert "training data" not in said
    assert not (tmp_path / "out").exists()
    # A training row that is called a validation row is still one.
    moved = pd.read_parquet(run.seen / "manifest.parquet")
    moved["path"] = [(run.seen / path).as_posix() for path in moved["path"]]
    moved["split"] = moved["split"].map({"train": "val", "val": "train", "test": "test"})
    (tmp_path / "moved").mkdir()
    moved.to_parquet(tmp_path / "moved" / "manifest.parquet")
    assert calibrate(run.folder, tmp_path / "moved", "--overwrite", *out) == 1
    assert "split val, shares" in capsys.readouterr().err


@pytest.fixture
def promising(run: TinyRun, tmp_path: Path) -> tuple[Path, float]:
    """The run with a calibration of 30 stills around the score of the first test crop, and that score."""
    found = json.loads((run.folder / "calibration.json").read_text())
    crop = sorted((run.unseen / "crops").rglob("*.png"))[0]
    with Predictor(run.folder, cropped=True, device="cpu", calibration="none") as predictor:
        (logit,) = predictor.predict(crop).logits
    entry = {"map": {"scale": 2.0, "center": 0.0}, "threshold": 0.0}
    entry |= {"real": [logit - 26.5 + n for n in range(30)], "real_unit": list(range(30))}
    entry |= {"fake": [logit - 15 + n for n in range(30)], "fake_unit": list(range(30))}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(found | {"scores": {"classifier": {"frame": entry}}}))
    return path, logit


@pytest.mark.parametrize(("rate", "verdict"), [(0.05, "cannot tell"), (0.2, "fake"), (0.01, "cannot tell")])
def test_predict_says_what_it_cannot_tell(
    run: TinyRun,
    tmp_path: Path,
    promising: tuple[Path, float],
    capsys: pytest.CaptureFixture[str],
    rate: float,
    verdict: str,
) -> None:
    path, logit = promising
    crop = sorted((run.unseen / "crops").rglob("*.png"))[0]
    options = ["--ckpt", run.folder, "--cropped", "--device", "cpu", "--calibration", path, "--false-alarms", rate]
    capsys.readouterr()
    assert main(["predict", *map(str, options), str(crop), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    # Of 30 real scores, the last and the 25th: 31 times 0.95 and 0.8, rounded up. They cannot promise 1 %.
    limits = {0.05: (expit(logit + 2.5), expit(logit - 15)), 0.2: (expit(logit - 2.5), expit(logit - 10))}
    assert answer["false_alarms"] == (None if rate == 0.01 else rate)
    assert answer["logit"] == pytest.approx(logit)
    assert answer["calibrated_probability"] == pytest.approx(expit(logit / 2))
    if rate == 0.01:
        assert (answer["fake_above"], answer["real_below"]) == (None, None)
        assert (answer["fake_above_logit"], answer["real_below_logit"]) == (None, None)
        real, fake = answer["notes"]
        assert "1 % cannot be promised: it takes 99 real videos or stills, and 30 calibrated" in real
        assert "missed fakes" in fake
    else:
        assert answer["notes"] == []
        assert expit(answer["fake_above_logit"]) == pytest.approx(answer["fake_above"])
        assert (answer["fake_above"], answer["real_below"]) == pytest.approx(limits[rate], rel=1e-6)
    assert answer["verdict"] == verdict


def test_predict_prints_the_promise(
    run: TinyRun, promising: tuple[Path, float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path, _ = promising
    crops = sorted((run.unseen / "crops").rglob("*.png"))[:3]
    options = ["--ckpt", run.folder, "--cropped", "--device", "cpu", "--calibration", path, "--false-alarms", "0.01"]
    assert main(["predict", *map(str, [*options, *crops])]) == 0
    said = capsys.readouterr()
    assert "at most" not in said.out
    assert "Verdict of images by the logit: fake never, real never, else cannot tell." in said.out
    assert said.out.count("cannot tell") == 4
    assert said.out.count("a false-alarm rate of 1 % cannot be promised") == 1
    assert max(map(len, said.out.splitlines())) <= 80
    assert main(["predict", *map(str, [*options[:-1], "0.05", *crops])]) == 0
    said = capsys.readouterr()
    assert "Images like those that calibrated: at most 5 % false alarms." in said.out
    assert main(["predict", *map(str, [*options[:-1], "1.5", *crops])]) == 2
    assert "out of range" in capsys.readouterr().err


def test_a_rate_without_a_calibration_is_refused(
    run: TinyRun, tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]
) -> None:
    crop = sorted((run.unseen / "crops").rglob("*.png"))[0]
    for options in (["--ckpt", run.folder, "--calibration", "none"], ["--ckpt", tiny_run.folder]):
        fixed = [*map(str, options), "--cropped", "--device", "cpu", str(crop)]
        assert main(["predict", *fixed, "--false-alarms", "0.05"]) == 2
        assert "5 % needs a calibration, and there is none: make one with difffake calibrate" in capsys.readouterr().err
        assert main(["predict", *fixed, "--json"]) == 0
        assert "false_alarms" not in json.loads(capsys.readouterr().out)


def test_nothing_is_promised_for_videos_if_only_stills_calibrated(
    run: TinyRun, promising: tuple[Path, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = np.asarray(Image.open(sorted((run.unseen / "crops").rglob("*.png"))[0]))
    write_clip(tmp_path / "clip.mp4", [still] * 4)
    options = ["--ckpt", run.folder, "--cropped", "--device", "cpu", "--calibration", promising[0], "--frames", "2"]
    capsys.readouterr()
    assert main(["predict", *map(str, [*options, tmp_path / "clip.mp4"]), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["false_alarms"] is None
    (note,) = answer["notes"]
    assert "thresholds of single images are used and promise nothing" in note
    assert answer["fake_above"] is not None
    assert main(["predict", *map(str, [*options, tmp_path / "clip.mp4"])]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Verdict of videos by the logit: fake at" in said
    assert said.count("promise nothing") == 1
    assert "at most" not in said
