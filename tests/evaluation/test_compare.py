"""`difffake compare`: which runs and scores are compared on which samples, and what is said about it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from score_table import scored, several_datasets
from sklearn.metrics import roc_auc_score

from difffake.commands.main import main
from difffake.errors import UserError
from difffake.evaluation.compare import compare_runs
from difffake.evaluation.differences import compare, contender, verdict
from difffake.evaluation.paired import paired_aucs
from difffake.evaluation.pictures.differences import difference_figure, differences_caption
from difffake.evaluation.significance import over_seeds, together, two_sided


def videos(seed: int, gain: float = 1.0, count: int = 12) -> pd.DataFrame:
    """Scores of two manipulations and reals, 3 frames per video; the reals and fakes are the same for every seed."""
    rng, common = np.random.default_rng([1, seed]), np.random.default_rng(0)
    parts = []
    for method, label in (("real", 0), ("swap", 1), ("mouth", 1)):
        names = [f"{number:03}" for number in range(count) for _ in range(3)]
        value = common.normal(size=3 * count) + rng.normal(size=3 * count) + gain * label
        place = [f"{method}/{name}/{number % 3}.png" for number, name in enumerate(names)]
        parts.append(scored(dataset="clips", method=method, label=label, video=names, path=place, value=value))
    return pd.concat(parts, ignore_index=True)


def write_run(
    folder: Path, scores: pd.DataFrame, seed: int | None = None, split: str = "test", **settings: Any
) -> Path:
    folder.mkdir(parents=True)
    scores.to_parquet(folder / "scores.parquet")
    if seed is not None:
        config = {"seed_everything": seed, "model": settings, "out": folder.name}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    facts = {"training_seed": seed, "split": split}
    (folder / "results.json").write_text(json.dumps({"rows": [], "provenance": facts}))
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_differences_are_those_of_the_samples_that_both_scored(tmp_path: Path) -> None:
    first, second = videos(1), videos(2, gain=2.0)
    write_run(tmp_path / "a", first)
    write_run(tmp_path / "b", second.drop(index=[0, 1, 2, 40]))  # a whole real video and one frame
    found = compare_runs([tmp_path / "a", tmp_path / "b"], every=True, resamples=50)
    rows = {(row["level"], row["method"]): row for row in found.rows}
    assert set(rows) == {(level, method) for level in ("video", "frame") for method in ("all", "swap", "mouth")}
    shared = first.index.difference([0, 1, 2, 40])
    expected = [roc_auc_score(table.loc[shared, "label"], table.loc[shared, "value"]) for table in (first, second)]
    row = rows["frame", "all"]
    assert (row["auc_baseline"], row["auc"]) == pytest.approx(tuple(expected))
    assert row["difference"] == pytest.approx(expected[1] - expected[0])
    assert (row["n_real"], row["n_fake"], row["units_real"], row["units_fake"]) == (33, 71, 11, 24)
    assert (rows["video", "all"]["n_real"], rows["video", "all"]["n_fake"]) == (11, 24)
    assert not math.isnan(rows["video", "swap"]["p_delong"])
    assert math.isnan(row["p_delong"])  # frames of a video are not independent
    lost = {row["level"]: row["samples"] for row in found.left_out}
    assert lost == {"video": 1, "frame": 4}
    assert "clips: 4 frames are left out, because b has no classifier score there." in found.remarks


def test_rows_in_any_order_give_the_same_numbers() -> None:
    tables = [several_datasets(seed) for seed in (0, 1)]
    shuffled = [table.sample(frac=1, random_state=seed) for seed, table in enumerate(tables)]
    results = []
    for first, second in (tables, shuffled):
        pairs = [
            (contender("a", name, [first], [0]), contender("b", name, [second], [0]))
            for name in ("classifier", "anomaly")
        ]
        results.append(compare(pairs, every=True, resamples=100)[0])
    pd.testing.assert_frame_equal(*map(pd.DataFrame, results), check_exact=True)


def test_a_frame_with_several_pairs_counts_once_with_its_mean() -> None:
    """Values 0 and 4 of one frame: their mean 2 is between the reals 1 and 3."""
    once = scored(
        method=["real", "real", "swap"], label=[0, 0, 1], path=["a", "b", "c"], value=[1.0, 3.0, 9.0], score="anomaly"
    )
    twice = pd.concat([once.assign(value=[1.0, 3.0, 0.0]), once.iloc[2:].assign(value=4.0)])
    (row,), _ = compare([(contender("a", "anomaly", [once], [0]), contender("b", "anomaly", [twice], [0]))])
    assert (row["n_fake"], row["auc_baseline"], row["auc"], row["difference"]) == (1, 1.0, 0.5, -0.5)
    assert math.isnan(row["p"])  # too few


def test_seeds_are_one_setting_with_both_kinds_of_error(tmp_path: Path) -> None:
    tables = {(gain, seed): videos(seed, gain) for gain in (1.0, 1.2) for seed in (0, 1, 2)}
    folders = [
        write_run(tmp_path / f"gain{gain}-{seed}", table, seed, gain=gain) for (gain, seed), table in tables.items()
    ]
    shuffled = [folders[n] for n in (0, 2, 1, 5, 4, 3)]
    found = compare_runs(shuffled, levels=["frame"], resamples=200)
    (row,) = found.rows
    label = tables[1.0, 0]["label"].to_numpy()
    aucs = [[roc_auc_score(label, tables[gain, seed]["value"]) for seed in (0, 1, 2)] for gain in (1.0, 1.2)]
    assert (row["seeds_baseline"], row["seeds"], row["seeds_test"]) == (3, 3, "paired t-test")
    assert (row["auc_baseline"], row["auc"]) == pytest.approx(tuple(np.mean(aucs, axis=1)))
    assert (row["sd_baseline"], row["sd"]) == pytest.approx(tuple(np.std(aucs, axis=1, ddof=1)))
    seeds = over_seeds(*aucs, paired=True)
    assert seeds is not None
    assert row["p_seeds"] == pytest.approx(two_sided(row["difference"], seeds))
    table = tables[1.0, 0].sort_values(["method", "path"])
    values = [[tables[gain, seed].loc[table.index, "value"] for seed in (0, 1, 2)] for gain in (1.0, 1.2)]
    unit = ("video " + table["method"] + "/" + table["video"]).to_numpy(object)
    order = np.argsort(table["label"].to_numpy(), kind="stable")  # reals come first in a comparison
    pair = paired_aucs(table["label"].to_numpy()[order], *(np.array(v)[:, order] for v in values), unit[order], 200, 0)
    assert row["p_samples"] == pytest.approx(two_sided(pair.difference, pair.error))
    assert row["p"] == pytest.approx(two_sided(pair.difference, together([pair.error, seeds])))
    assert any("Few seeds have little power: with 3" in remark for remark in found.remarks)

    two = compare_runs([*folders[:2], folders[5], folders[4]], levels=["frame"], resamples=200).rows[0]
    assert two["seeds_test"] == "Welch's t-test"
    one = compare_runs([*folders[:2], folders[5]], levels=["frame"], resamples=200)
    assert one.rows[0]["seeds_test"] == ""
    assert any("one run, so the spread over trainings is unknown" in remark for remark in one.remarks)


def test_only_runs_of_other_seeds_and_equal_settings_are_one(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "a0", videos(0), 0, gain=1),
        write_run(tmp_path / "a1", videos(1), 1, gain=1),
        write_run(tmp_path / "again", videos(2), 1, gain=1),  # the same seed once more
        write_run(tmp_path / "val", videos(3), 2, "val", gain=1),
        write_run(tmp_path / "unknown", videos(4)),
    ]
    rows = compare_runs(folders, levels=["frame"], resamples=20).rows
    assert [(row["baseline"], row["run"]) for row in rows] == [
        ("a (2 seeds)", "again"),
        ("a (2 seeds)", "val"),
        ("a (2 seeds)", "unknown"),
    ]


def test_scores_of_one_run_and_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier, anomaly = videos(1), videos(2).assign(score="anomaly")
    floor = videos(3, gain=0.1).assign(score="file size")
    write_run(tmp_path / "a", pd.concat([classifier, anomaly, floor]))
    write_run(tmp_path / "b", videos(4))
    write_run(tmp_path / "c", floor)
    a, b, c = (str(tmp_path / name) for name in "abc")

    def compared(*arguments: str) -> list[tuple[str, str, str, str]]:
        out = tmp_path / "out"
        assert (
            main(["compare", *arguments, "--levels", "video", "--resamples", "50", "--out", str(out), "--overwrite"])
            == 0
        )
        rows = json.loads((out / "compare.json").read_text())["comparisons"]
        return [(row["baseline"], row["baseline_score"], row["run"], row["score"]) for row in rows]

    assert compared(a) == [("a", "classifier", "a", name) for name in ("anomaly", "file size")]
    assert compared(a, "--scores", "file size", "classifier") == [("a", "file size", "a", "classifier")]
    assert compared(a, b) == [("a", "classifier", "b", "classifier")]
    assert compared(b, "--baseline", a) == [("a", "classifier", "b", "classifier")]
    assert compared(b, c, "--scores", "classifier", "file size") == [("b", "classifier", "c", "file size")]
    capsys.readouterr()
    for arguments, message in (
        (
            [b, c],
            "c has the scores file size, but the baseline b has classifier: name the two to compare with --scores",
        ),
        ([b], "b is the only run, and one score is to be compared: give a second run, or two names with --scores"),
        ([a, "--scores", "Meso4", "anomaly"], "no run has the score Meso4: choose from classifier, anomaly, file size"),
        ([str(tmp_path)], f"{tmp_path}/scores.parquet does not exist: give a folder that `difffake evaluate` wrote"),
    ):
        assert main(["compare", *arguments]) == 1
        assert message in said(capsys)


def test_runs_without_common_samples_and_other_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (videos(seed) for seed in (1, 2))
    write_run(tmp_path / "a", first)
    write_run(tmp_path / "other", second.assign(dataset="faces"))
    write_run(tmp_path / "val", second.assign(path="v" + second["path"], video="v" + second["video"]), split="val")
    write_run(tmp_path / "all", second, split="all")
    write_run(tmp_path / "wrong", second.assign(label=1 - second["label"]))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scores.parquet").write_text("text")
    for name, message in (
        ("other", "have no real and fake samples in common: evaluate both on the same split of the same manifest"),
        ("val", f"same manifest ({tmp_path}/a was evaluated on the split test, {tmp_path}/val on the split val)"),
        ("wrong", "have different labels for clips//mouth/000"),
        ("broken", "scores.parquet cannot be read"),
    ):
        assert main(["compare", str(tmp_path / "a"), str(tmp_path / name)]) == 1
        told = capsys.readouterr().err
        assert message in told
        assert told.count("\n") == 1
    found = compare_runs([tmp_path / "a", tmp_path / "all"], resamples=20)
    assert found.remarks[0] == (
        f"{tmp_path}/a was evaluated on the split test, {tmp_path}/all on the split all"
    )  # fmt: skip


def test_what_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, gain, seeds in (("plain", 0.2, (0, 1)), ("guided", 3.0, (0, 1))):
        for seed in seeds:
            write_run(tmp_path / f"{name}-{seed}", videos(seed, gain, count=20), seed, gain=gain)
    write_run(tmp_path / "small", videos(5, 0.2, count=4), 7, gain=9)
    runs = [str(tmp_path / name) for name in ("plain-0", "plain-1", "guided-0", "guided-1", "small")]
    assert main(["compare", *runs, "--out", str(tmp_path / "out"), "--resamples", "300", "--every"]) == 0
    lines = capsys.readouterr()
    assert max(map(len, lines.out.splitlines())) <= 80
    told = " ".join(lines.out.split())
    assert "▲ better, ▼ worse than the baseline by more than chance (p Holm < 0.05)" in told
    assert "corrected for the 6 comparisons made here" in told
    assert "There is no interval and no p-value if reals or fakes come from fewer than 5 units" in lines.err
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert len(content["comparisons"]) == 12
    assert {verdict(row) for row in content["comparisons"] if row["run"].startswith("guided")} == {"better"}
    assert {row["p_holm"] for row in content["comparisons"] if row["run"].startswith("small")} == {None}
    assert [file["file"].split("/")[-1] for file in content["provenance"]["files"]] == ["scores.parquet"] * 5
    page = (tmp_path / "out" / "compare.md").read_text()
    assert "| Run | Manipulation | Real | Fake | Baseline | AUC | Difference [95 %] | p | p Holm | p seeds |  |" in page
    assert (tmp_path / "out" / "differences.png").stat().st_size > 10_000
    figure = difference_figure(content["comparisons"])
    assert [len(axes.get_yticks()) for axes in figure.axes] == [6, 6]
    assert "by video" in differences_caption(content["comparisons"])


def test_a_true_difference_is_found_and_none_is_not() -> None:
    """The share of p < 0.05 without a difference is about 5 %; benchmarks/comparison_size.py measures it closely."""
    rng = np.random.default_rng(0)
    label, unit = np.repeat([0, 1], 160), np.repeat(np.arange(80), 4)
    wrong = right = 0
    for trial in range(200):
        common = 0.8 * rng.normal(size=80)[unit] + label
        first, second = (common + 0.6 * rng.normal(size=80)[unit] + 0.7 * rng.normal(size=320) for _ in range(2))
        null = paired_aucs(label, first[None], second[None], unit.astype(object), 150, trial)
        wrong += two_sided(null.difference, null.error) < 0.05
        true = paired_aucs(label, first[None], (second + 0.8 * label)[None], unit.astype(object), 150, trial)
        right += two_sided(true.difference, true.error) < 0.05
    assert 2 <= wrong <= 20
    assert right > 150


def test_a_contender_without_the_score_is_named() -> None:
    pair = contender("a", "classifier", [videos(1)], [0]), contender("b", "Meso4", [videos(1)], [0])
    with pytest.raises(UserError, match="b \\(Meso4 of nothing, video and frame level\\)"):
        compare([pair], levels=["video", "frame"])
