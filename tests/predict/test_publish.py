"""`difffake publish`: a folder that scores as the run does, and a model card with the numbers of the results only."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from drawn_clips import SIDE, drawn
from huggingface_hub import ModelCard
from score_table import scored
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.errors import UserError
from difffake.evaluation.provenance import provenance
from difffake.evaluation.results import result_rows
from difffake.faces.images import write_png
from difffake.files import sha256
from difffake.models.model_config import CONFIG
from difffake.predict.pretrained import about
from difffake.predict.publish import publish

FACES = [drawn(number)[0] for number in range(3)]


def call(*words: str | Path, status: int = 0) -> None:
    assert main([str(word) for word in words]) == status


@pytest.fixture(scope="module")
def run(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run with a calibration, and results below it."""
    folder = tmp_path_factory.mktemp("published") / "run"
    folder.mkdir()
    for name in ("best.ckpt", "anomaly.safetensors", "config.yaml"):
        shutil.copy(tiny_run.folder / name, folder)
    call("calibrate", "--ckpt", folder, "--manifest", tiny_run.seen, "--workers", "0")
    rng = np.random.default_rng(0)
    parts = [
        scored(
            dataset="drawn-b", method=method, label=label, video=[f"{place // 2}" for place in range(24)], score=score,
            value=rng.normal(label, 1, 24),
        )
        for method, label in (("real", 0), ("reenact", 1), ("faceswap", 1))
        for score in ("classifier", "anomaly")
    ]  # fmt: skip
    thresholds = {"classifier": {"frame": 0.4, "video": 0.4}}
    facts = {"provenance": provenance([folder / "best.ckpt"]), "rows": result_rows(pd.concat(parts), thresholds, 100)}
    (folder / "results").mkdir()
    (folder / "results" / "results.json").write_text(json.dumps(facts).replace("NaN", "null"))
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> Path:
    out = run.parent / "model"
    words = [
        "--results",
        run / "results",
        "--license",
        "cc-by-4.0",
        "--data-licenses",
        "drawn: none",
        "--name",
        "ann/a",
    ]
    call("publish", "--ckpt", run, "--out", out, *words)
    return out


def test_a_folder_scores_as_the_run_does(run: Path, model: Path, tmp_path: Path) -> None:
    answers = []
    with Predictor(run, cropped=True, device="cpu") as predictor:
        predictor.save_pretrained(tmp_path / "saved", dtype="float16")
        answers.append(predictor.predict(FACES).to_dict())
        assert predictor.about == ""
    for folder in (model, tmp_path / "saved"):
        with Predictor.from_pretrained(folder, cropped=True, device="cpu") as predictor:
            answers.append(predictor.predict(FACES).to_dict())
            assert answers[-1].pop("detector") == predictor.about != ""
    assert answers[0].pop("detector") == ""
    assert all(answer.pop("seconds") > 0 for answer in answers)
    assert answers[0]["people"][0]["fusion"]
    assert answers[1] == answers[0]
    assert answers[2]["logit"] == pytest.approx(answers[0]["logit"], abs=0.05)
    assert answers[2]["people"][0]["anomaly"]["pairs"] == answers[0]["people"][0]["anomaly"]["pairs"]


def test_a_folder_is_a_checkpoint_for_all_commands(model: Path, run: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    call("calibrate", "--ckpt", model, "--manifest", tiny_run.seen, "--out", out, "--workers", "0")
    first, second = (json.loads(path.read_text()) for path in (run / "calibration.json", out))
    assert second["scores"] == first["scores"]
    assert second["fusion"] == first["fusion"]
    assert second["checkpoint"] == sha256(model / "config.json")
    # A folder that is published again keeps its card, and takes results of the checkpoint that it was made of.
    for results in ([], [run / "results"]):
        publish(model, tmp_path / "again", results, overwrite=True)
        assert (tmp_path / "again" / "README.md").read_text() == (model / "README.md").read_text()


def test_the_card_is_one_that_the_hub_reads(model: Path, run: Path) -> None:
    card = ModelCard.load(model / "README.md")
    assert (card.data.library_name, card.data.license) == ("difffake", "cc-by-4.0")
    assert "deepfake-detection" in card.data.tags
    (result,) = card.data.eval_results
    rows = json.loads((run / "results" / "results.json").read_text())["rows"]
    whole = next(row for row in rows if row["score"] == "classifier" and row["level"] == "video")
    assert result.metric_value == pytest.approx(whole["auc"], abs=1e-4)
    assert result.metric_type == "roc_auc"


def test_no_number_of_the_card_is_from_elsewhere(model: Path, run: Path) -> None:
    text = (model / "README.md").read_text()
    assert "- drawn: none" in text
    assert "drawn-a" in text
    assert "Intended use and misuse" in text
    content = json.loads((run / "results" / "results.json").read_text())
    table = text[text.index("## Results") : text.index("## How often")]
    for row in content["rows"]:
        assert f"| {row['dataset']} | {row['method']} | {row['compression'] or '-'} | {row['level']} |" in table
    known = {f"{100 * value:.1f}" for row in content["rows"] for value in row.values() if isinstance(value, float)}
    shown = re.findall(r"\d+\.\d", table)
    assert shown
    assert set(shown) <= known
    # The sentence below each answer has the same numbers.
    with Predictor(model, cropped=True, device="cpu") as predictor:
        assert set(re.findall(r"\d+\.\d", predictor.about)) <= known
        assert "drawn-a" in predictor.about
        assert "which difffake forged itself" in predictor.about


def test_alarms_are_counted_by_hand(run: Path, tmp_path: Path) -> None:
    content = json.loads((run / "results" / "results.json").read_text())
    for row in content["rows"]:
        row |= {"false_alarm_rate": 0.05, "detection_rate": 0.8}
    shutil.copytree(run / "results", tmp_path / "results")
    (tmp_path / "results" / "results.json").write_text(json.dumps(content))
    publish(run, tmp_path / "model", [tmp_path / "results"])
    # 9,900 of 10,000 files are real, 100 are fakes.
    assert "495 real files and 80 of the fakes are called fake" in (tmp_path / "model" / "README.md").read_text()


def test_the_card_says_what_became_of_the_promises(run: Path, tmp_path: Path) -> None:
    results = json.loads((run / "results" / "results.json").read_text())
    kept = {"rate": 0.05, "fake_above": 1.0, "realized": 0.153, "realized_low": 0.132, "realized_high": 0.175}
    none = {"rate": 0.01, "fake_above": None, "realized": 0.0, "realized_low": 0.0, "realized_high": 0.004}
    tested = {"dataset": "drawn-b", "compression": "c23", "promised": [none, kept]}
    tested |= {"auc": 0.8, "shift": 0.6, "false_alarm_rate": 0.2}
    pooled = {"pooled_auc": 0.8, "pooled_false_alarm_rate": 0.2}
    results["domains"] = [{"score": "classifier", "level": "frame", "sets": [tested]} | pooled]
    shutil.copytree(run / "results", tmp_path / "results")
    (tmp_path / "results" / "results.json").write_text(json.dumps(results))
    call("publish", "--ckpt", run, "--out", tmp_path / "model", "--results", tmp_path / "results", "--name", "a")
    text = (tmp_path / "model" / "README.md").read_text()
    table = text.partition("Real files called fake")[2].partition("## ")[0]
    assert table.count("drawn-b") == 1
    assert "| classifier | frame | drawn-b c23 | 5 | 15.3 [13.2, 17.5] |" in table
    assert "At most 5 % of real faces should be called fake; 15 % of drawn-b's were." in about(
        tmp_path / "model" / CONFIG
    )


def test_without_results_the_card_says_so(run: Path, tmp_path: Path) -> None:
    publish(run, tmp_path / "model", anomaly="none", calibration="none")
    names = {file.name for file in (tmp_path / "model").iterdir()} - {".difffake"}
    assert names == {"config.json", "model.safetensors", "README.md"}
    text = (tmp_path / "model" / "README.md").read_text()
    assert "Nothing is known of how good the detector is" in text
    assert "nothing says how good it is" in Predictor(tmp_path / "model", cropped=True).about


def test_foreign_files_are_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "best.ckpt"
    torch.save(torch.load(run / "best.ckpt", weights_only=True) | {"another": 1}, other)
    with pytest.raises(UserError, match=r"the results in .* are of another checkpoint"):
        publish(other, tmp_path / "o", [run / "results"])
    with pytest.raises(UserError, match="was fitted to embeddings of another checkpoint"):
        publish(other, tmp_path / "o", anomaly=run / "anomaly.safetensors")
    with pytest.raises(UserError, match="calibrates another checkpoint"):
        publish(other, tmp_path / "o", calibration=run / "calibration.json")
    with pytest.raises(UserError, match="also calibrates an anomaly model"):
        publish(run, tmp_path / "o", anomaly="none")
    with pytest.raises(UserError, match=r"--license CC BY 4\.0 is not written as on the Hub"):
        publish(run, tmp_path / "o", license="CC BY 4.0")
    with pytest.raises(UserError, match="would replace"):
        publish(run, run, overwrite=True)
    assert not (tmp_path / "o").exists()


def test_every_answer_says_what_the_detector_is(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_png(tmp_path / "a.png", FACES[0])
    call("predict", tmp_path / "a.png", "--cropped", "--ckpt", model, "--device", "cpu")
    said = " ".join(capsys.readouterr().out.split())
    assert "The detector ann/a was trained on forged-drawn-a and reaches an AUC of" in said
    monkeypatch.setattr("difffake.predict.hub.shipped", lambda name: model)
    monkeypatch.setattr("difffake.predict.pretrained.shipped", lambda name: model)
    call("predict", tmp_path / "a.png", "--cropped", "--device", "cpu", "--json")
    assert json.loads(capsys.readouterr().out)["detector"].startswith("The detector of the package was trained on")
    monkeypatch.setattr("difffake.predict.hub.shipped", lambda name: tmp_path / "none")
    call("predict", tmp_path / "a.png", "--cropped", status=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "difffake predict: this installation has no detector of its own: name a checkpoint with --ckpt"


def test_escapes_in_a_downloaded_card_do_not_reach_the_terminal(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["card"]["name"] = "a\x1b[2Jb\nc"
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with Predictor(tmp_path / "model", cropped=True, anomaly="none", calibration="none") as predictor:
        assert predictor.about.startswith("The detector a[2Jb c was")
    for card in ({"rows": 3}, "text", None, [1]):
        config["card"] = card
        (tmp_path / "model" / "config.json").write_text(json.dumps(config))
        with Predictor(tmp_path / "model", cropped=True, anomaly="none", calibration="none") as predictor:
            assert predictor.about == ""
            assert predictor.predict(np.zeros((SIDE, SIDE, 3), np.uint8)).detector == ""
