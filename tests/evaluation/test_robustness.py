"""`difffake robustness` on a trained checkpoint, and its table, picture and choice of videos."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from processes import difffake
from rows import fake, manifest_of, row
from sklearn.metrics import roc_auc_score
from tiny import TinyRun

from difffake.commands.main import main
from difffake.data.batches import to_tensors, to_unit
from difffake.data.manifest import Manifest
from difffake.evaluation.degradations import DEGRADATIONS
from difffake.evaluation.degraded import Clips, Degraded
from difffake.evaluation.pictures.robustness import robustness_figure
from difffake.evaluation.robustness import limited, settings
from difffake.evaluation.robustness_files import markdown
from difffake.models.checkpoint import load_detector
from difffake.plots import read_caption

KINDS = ["noise", "h264"]


@pytest.fixture(scope="module")
def command(tiny_run: TinyRun) -> list[str]:
    options = ["--manifest", tiny_run.unseen, "--kinds", *KINDS, "--limit", 7, "--resamples", 20, "--workers", 0]
    return ["robustness", "--ckpt", *map(str, [tiny_run.ckpt, *options])]


@pytest.fixture(scope="module")
def studied(command: list[str], tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("robustness") / "out"
    assert main([*command, "--anomaly", str(tiny_run.folder / "anomaly.safetensors"), "--out", str(out)]) == 0
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "robustness.json").read_text())["rows"]


def test_rows_for_every_setting_score_and_level(studied: Path) -> None:
    found = [(r["kind"], r["strength"], r["level"], r["score"]) for r in rows(studied)]
    expected = {
        (*setting, level, score)
        for setting in [("unchanged", 0), *((kind, strength) for kind in KINDS for strength in range(1, 6))]
        for level in ("frame", "video")
        for score in ("classifier", "anomaly")
    }
    assert len(found) == len(expected)
    assert set(found) == expected
    assert settings(KINDS)[:2] == [("unchanged", 0), ("noise", 1)]
    crf = [
        r["value"] for r in rows(studied) if r["kind"] == "h264" and (r["score"], r["level"]) == ("anomaly", "frame")
    ]
    assert crf == [18, 23, 30, 35, 40]


def test_auc_is_that_of_crops_degraded_by_hand(studied: Path, tiny_run: TinyRun) -> None:
    """Two whole videos of six frames are the fewest of each class with at least seven crops."""
    test = limited(Manifest.read(tiny_run.unseen).select(split="test"), 7, 0)
    label = test.table["label"].to_numpy()
    assert [(label == value).sum() for value in (0, 1)] == [12, 12]
    detector, _ = load_detector(tiny_run.ckpt)
    for kind, strength in (("noise", 3), ("h264", 5)):
        degraded = Degraded(test, Clips(test), kind, DEGRADATIONS[kind].values[strength - 1], 0)
        images = to_tensors([degraded(number) for number in range(len(test))], 64)
        with torch.inference_mode():
            logit = detector(to_unit(images)).logit.numpy()
        found = next(
            r for r in rows(studied) if (r["kind"], r["strength"], r["score"]) == (kind, strength, "classifier")
        )
        assert (found["n_real"], found["n_fake"], found["level"]) == (12, 12, "frame")
        assert found["auc"] == pytest.approx(roc_auc_score(label, logit), abs=1e-9)


def test_files(studied: Path) -> None:
    text = (studied / "robustness.md").read_text()
    assert "H.264, CRF: 18, 23, 30, 35, 40 |" in text
    assert "not public benchmark numbers" in text
    names = ("robustness", *(f"robustness_{rest}" for rest in ("classifier_frame", "anomaly_frame", "anomaly_video")))
    for name in names:
        assert "weakest on the left" in read_caption(studied / f"{name}.png")
    provenance = json.loads((studied / "robustness.json").read_text())["provenance"]
    assert (provenance["limit"], provenance["testbed"]) == (7, True)


def test_processes_ranks_and_batches_change_nothing(command: list[str], studied: Path, tmp_path: Path) -> None:
    """Two ranks share 24 crops of four videos; two loaders and batches of 5 crops."""
    known = [row for row in rows(studied) if row["score"] == "classifier"]
    two = [*command, "--out", str(tmp_path / "two")]
    statuses, output = difffake(two, 2)
    assert statuses == [0, 0], output
    assert rows(tmp_path / "two") == known
    options = ["--workers", "2", "--batch-size", "5", "--out", str(tmp_path / "loaders")]
    statuses, output = difffake([*command, *options])
    assert statuses == [0], output
    assert rows(tmp_path / "loaders") == known


def test_limited_draws_whole_videos_and_their_fakes() -> None:
    found = [row(f"r{v}/{n}.png", video=f"r{v}", target=f"r{v}", frame=n) for v in range(9) for n in range(4)]
    found += [fake(f"f{v}/{n}.png", video=f"f{v}", target=f"r{v}", frame=n) for v in range(9) for n in range(4)]
    whole = manifest_of(*found)
    few = limited(whole, 10, 0)
    sizes = few.table.groupby("video").size()
    assert sizes.tolist() == [4] * 6  # three videos, with twelve crops, of each class
    assert {name[1:] for name in sizes.index if name[0] == "f"} == {name[1:] for name in sizes.index if name[0] == "r"}
    shuffled = Manifest(whole.table.sample(frac=1, random_state=1), whole.root)
    assert set(limited(shuffled, 10, 0).table["path"]) == set(few.table["path"])
    assert any(set(limited(whole, 10, seed).table["path"]) != set(few.table["path"]) for seed in (1, 2, 3))
    assert len(limited(whole, 0, 0)) == len(limited(whole, 1000, 0)) == len(whole)


def study(datasets: int, kinds: int) -> list[dict[str, Any]]:
    """Rows of robustness.json of a made-up study."""
    made = []
    for number in range(datasets):
        for kind, strength in settings(list(DEGRADATIONS)[:kinds]):
            head: dict[str, Any] = {"kind": kind, "title": kind, "parameter": "", "value": None, "unit": ""}
            if strength:
                found = DEGRADATIONS[kind]
                head |= {"title": found.title, "parameter": found.parameter, "unit": found.unit}
                head["value"] = found.values[strength - 1]
            auc = 0.9 - 0.05 * strength - 0.1 * number
            place = {"dataset": f"set {number}", "compression": "", "level": "frame", "score": "classifier"}
            numbers = {"strength": strength, "n_real": 9, "n_fake": 9, "auc": auc}
            low, high = (np.nan, np.nan) if number else (auc - 0.02, auc + 0.03)
            made.append(head | place | numbers | {"auc_low": low, "auc_high": high})
    return made


def test_figure_has_a_panel_per_kind_and_a_line_per_data_set() -> None:
    figure = robustness_figure(study(2, 3), "a title")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["JPEG", "H.264", "Gaussian blur"]
    assert [text.get_text() for text in panels[1].get_xticklabels()] == ["none", "18", "23", "30", "35", "40"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chance", "set 0", "set 1"]
    first = panels[0].containers[0]
    np.testing.assert_allclose(first.lines[0].get_ydata(), 0.9 - 0.05 * np.arange(6))
    bars = first.lines[2][0].get_segments()
    np.testing.assert_allclose(bars[2][:, 1], [0.78, 0.83])


def test_markdown_has_the_unchanged_auc_in_every_line() -> None:
    text = markdown(study(1, 2), ["a note"])
    assert "**set 0, frame level, classifier score (9 real, 9 fake)**" in text
    assert "| JPEG, quality: 90, 70, 50, 30, 10 | 90.0 [88.0, 93.0] | 85.0 [83.0, 88.0] |" in text
    assert "| H.264, CRF: 18, 23, 30, 35, 40 | 90.0 [88.0, 93.0] |" in text
    assert "a note" in text


def test_what_has_no_auc_is_refused(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    (tmp_path / "crops").symlink_to(tiny_run.unseen / "crops")
    table[table["label"] == 0].to_parquet(tmp_path / "manifest.parquet")
    command = ["robustness", "--ckpt", tiny_run.ckpt, "--manifest", tmp_path, "--out", tmp_path / "o"]
    assert main([*map(str, command)]) == 1
    assert "no manifest has both real faces and fakes" in capsys.readouterr().err
    assert main([*map(str, command), "--kinds", "rain"]) == 2
    assert "rain" in capsys.readouterr().err
