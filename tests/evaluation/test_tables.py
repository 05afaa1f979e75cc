import io
import math

import pytest
from rich.console import Console
from score_table import scored, several_datasets

from difffake.evaluation.results import result_rows
from difffake.evaluation.tables import markdown, print_results, result_tables

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
    assert markdown([ROW]) == (
        "**Frame level, classifier score**\n\n"
        "| Data set | Manipulation | Real | Fake | AUC [95 %] | EER | AP | ACC |\n"
        "| :-- | :-- | --: | --: | --: | --: | --: | --: |\n"
        "| Celeb-DF | synthesis | 178 | 340 | 83.2 [80.1, 86.2] | 24.6 | 90.0 | - |\n"
    )


def test_tables_by_level_and_score_with_compression_only_where_known() -> None:
    rows = [ROW, ROW | {"level": "video", "compression": "c23"}, ROW | {"score": "anomaly"}, ROW | {"method": "other"}]
    tables = result_tables(rows)
    assert [(table.title, len(table.cells)) for table in tables] == [
        ("Video level, classifier score", 1),
        ("Frame level, classifier score", 2),
        ("Frame level, anomaly score", 1),
    ]
    assert [("Compression" in table.columns) for table in tables] == [True, False, False]
    assert [cells[0] for cells in tables[1].cells] == ["Celeb-DF", ""]  # a name is printed once


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_is_not_defined_is_a_dash(missing: float | None) -> None:
    (table,) = result_tables([ROW | dict.fromkeys(("auc", "auc_low", "auc_high", "eer"), missing)])
    assert table.cells[0][-4:] == ["-", "-", "90.0", "-"]
    (table,) = result_tables([ROW | {"auc_low": missing, "auc_high": missing}])
    assert table.cells[0][4] == "83.2"


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
