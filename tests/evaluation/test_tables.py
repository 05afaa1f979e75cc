import io
import math

import pytest
from rich.console import Console
from score_table import scored, several_datasets

from difffake.evaluation.results import result_rows
from difffake.evaluation.tables import NAMES, broken, markdown, print_results, remarks, result_tables

ROW = {
    "dataset": "Celeb-DF", "method": "synthesis", "compression": "", "level": "frame", "score": "classifier",
    "n_real": 178, "n_fake": 340, "auc": 0.8317, "auc_low": 0.801, "auc_high": 0.86249, "eer": 0.2459, "ap": 0.9,
    "acc": math.nan,
}  # fmt: skip


def printed(rows: list[dict], width: int = 100) -> str:
    stream = io.StringIO()
    print_results(rows, Console(file=stream, width=width))
    return stream.getvalue()


def test_markdown_of_one_row() -> None:
    """The data set stands in the title, since all rows share it."""
    assert markdown([ROW]) == (
        "**Frame level, classifier score: Celeb-DF**\n\n"
        "| Manipulation | Real | Fake | AUC [95 %] | EER | AP | ACC |\n"
        "| :-- | --: | --: | --: | --: | --: | --: |\n"
        "| synthesis | 178 | 340 | 83.2 [80.1, 86.2] | 24.6 | 90.0 | - |\n"
    )


def test_tables_by_level_and_score_with_columns_only_for_what_differs() -> None:
    video = ROW | {"level": "video", "compression": "c23"}
    rows = [
        ROW, video, ROW | {"score": "anomaly"}, ROW | {"method": "other"}, ROW | {"score": "anomaly", "dataset": "DFD"},
        video | {"score": "anomaly"}, video | {"score": "anomaly", "compression": "c40"},
    ]  # fmt: skip
    tables = result_tables(rows)
    assert [(table.title, len(table.cells)) for table in tables] == [
        ("Video level, classifier score: Celeb-DF c23", 1),
        ("Video level, anomaly score: Celeb-DF", 2),
        ("Frame level, classifier score: Celeb-DF", 2),
        ("Frame level, anomaly score", 2),
    ]
    names = [[column for column in table.columns if column in NAMES] for table in tables]
    expected = [["Manipulation"], ["Manipulation", "Compression"], ["Manipulation"], ["Data set", "Manipulation"]]
    assert names == expected
    both = result_tables([ROW, ROW | {"method": "other"}, ROW | {"dataset": "DFD"}])[0]
    assert [cells[0] for cells in both.cells] == ["Celeb-DF", "", "DFD"]  # a name is printed once


def test_rows_of_one_class_have_tables_of_their_own() -> None:
    nothing = dict.fromkeys(("auc", "auc_low", "auc_high", "eer", "ap"), math.nan) | {"acc": 0.75}
    real = ROW | nothing | {"method": "real", "n_fake": 0, "false_alarm_rate": 0.25, "detection_rate": math.nan}
    fake = ROW | nothing | {"n_real": 0, "false_alarm_rate": None, "detection_rate": 1 / 3, "dataset": "DFD"}
    tables = {table.title: (table.columns, table.cells) for table in result_tables([real, ROW, fake])}
    assert tables["Frame level, classifier score, real only: Celeb-DF"] == (["Real", "False alarms"], [["178", "25.0"]])
    assert tables["Frame level, classifier score, fake only: DFD"] == (
        ["Manipulation", "Fake", "Found"], [["synthesis", "340", "33.3"]],
    )  # fmt: skip
    assert len(tables) == 3
    said = remarks([real, ROW, fake])
    assert said[0].startswith("Celeb-DF: only real faces")
    assert said[1].startswith("DFD: only fake faces")
    assert said[0].endswith("the false alarms are counted at the threshold of the validation data.")
    uncounted = real | {"false_alarm_rate": math.nan, "dataset": "DFDC"}
    assert remarks([uncounted]) == [
        "DFDC: only real faces, so AUC, EER and AP are not defined; the false alarms are not counted, because there is "
        "no threshold from validation data."
    ]
    assert remarks([uncounted, real])[0].endswith("at the threshold of the validation data, where there is one.")
    (found,) = remarks([fake | {"detection_rate": None}])
    assert "the fakes found are not counted" in found


def test_remarks_on_too_few_units_and_on_perfect_separation() -> None:
    few = ROW | {"units_real": 4, "units_fake": 90, "resampled_by": "video", "auc_low": None, "auc_high": None}
    assert remarks([few]) == [
        "There is no interval if reals or fakes come from fewer than 5 units (here video): these numbers are very "
        "uncertain."
    ]
    assert remarks([few | {"auc": 1.0}]) == remarks([few])
    perfect = ROW | {"units_real": 5, "units_fake": 90, "resampled_by": "video", "auc": 1.0, "auc_low": 0.478}
    assert remarks([perfect]) == [
        "If the scores of reals and fakes do not overlap at all, the interval is exact (Clopper and Pearson)."
    ]
    assert remarks([ROW]) == []


def test_the_title_of_a_narrow_table_is_one_line() -> None:
    rows = [ROW | {"method": "real", "n_fake": 0, "auc": math.nan, "eer": math.nan, "ap": math.nan}]
    assert "Frame level, classifier score, real only: Celeb-DF" in map(str.rstrip, printed(rows, 80).splitlines())


@pytest.mark.parametrize("width", [80, 100])
def test_names_are_broken_at_dashes_and_numbers_never(width: int) -> None:
    rows = [
        ROW | {"dataset": dataset, "method": method, "auc_low": 0.0, "auc_high": 1.0}
        for dataset in ("forged-drawn-a", "forged-drawn-b")
        for method in ("all", "alpha_swap", "diffusion_swap")
    ]
    text = printed(rows, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("83.2 [0.0, 100.0]") == 6
    names = {line.split()[0] for line in text.splitlines() if "drawn-" in line or "forged-" in line}
    assert names <= ({"forged-", "drawn-a", "drawn-b"} if width == 80 else {"forged-drawn-a", "forged-drawn-b"})
    assert "Manipulation" in text


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("forged-drawn-a", 14, ["forged-drawn-a"]),
        ("forged-drawn-a", 13, ["forged-", "drawn-a"]),
        ("forged-drawn-a", 7, ["forged-", "drawn-a"]),
        ("diffusion_swap", 10, ["diffusion_", "swap"]),
        ("one two/three", 8, ["one two/", "three"]),
        ("unbreakable", 4, ["unbreakable"]),
        ("", 4, [""]),
    ],
)
def test_broken(name: str, width: int, lines: list[str]) -> None:
    assert broken(name, width).split("\n") == lines


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_is_not_defined_is_a_dash(missing: float | None) -> None:
    (table,) = result_tables([ROW | dict.fromkeys(("auc", "auc_low", "auc_high", "eer"), missing)])
    assert table.cells[0][-4:] == ["-", "-", "90.0", "-"]
    (table,) = result_tables([ROW | {"auc_low": missing, "auc_high": missing}])
    assert table.cells[0][3] == "83.2"


def test_terminal_and_markdown_show_the_same_cells() -> None:
    rows = result_rows(several_datasets(), {"classifier": {"frame": 0.0, "video": 0.5}}, resamples=20)
    terminal = " ".join(printed(rows).split())
    for table in result_tables(rows):
        assert table.title in terminal
        for cells in table.cells:
            assert " ".join(" ".join(cells).split()) in terminal
            assert "| " + " | ".join(cells) + " |" in markdown(rows)


def test_no_line_is_wider_than_100_columns_and_no_number_is_cut() -> None:
    long = ROW | {
        "dataset": "a data set with a very long name " * 3, "method": "manipulation" * 6, "compression": "c23",
        "n_real": 123456, "n_fake": 654321, "auc": 1.0, "auc_low": 1.0, "auc_high": 1.0,
    }  # fmt: skip
    text = printed([long], width=160)
    assert max(map(len, text.splitlines())) <= 100
    for number in ("123456", "654321", "100.0 [100.0, 100.0]", "24.6", "90.0"):
        assert number in text


def test_numbers_are_right_aligned() -> None:
    small, large = ROW | {"n_real": 7}, ROW | {"n_real": 1234567, "method": "other"}
    lines = printed([small, large]).splitlines()
    ends = [line.index(number) + len(number) for line in lines for number in (" 7 ", " 1234567 ") if number in line]
    assert len(ends) == 2
    assert ends[0] == ends[1]


def test_names_are_printed_as_they_are() -> None:
    text = printed([ROW | {"dataset": "[bold]x[/bold]", "method": "a|b"}])
    assert "[bold]x[/bold]" in text
    assert r"a\|b" in markdown([ROW | {"method": "a|b"}])


def test_no_rows_no_table() -> None:
    assert markdown([]) == ""
    assert printed(result_rows(scored(value=[]), {})) == ""
