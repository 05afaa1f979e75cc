import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from difffake.commands.main import main
from difffake.evaluation.report.contents import Contents
from difffake.evaluation.report.folders import read_folders
from difffake.evaluation.report.formats import as_latex, as_markdown
from difffake.evaluation.report.tables import PageTable, headline_tables
from difffake.evaluation.report.write import report_text
from difffake.evaluation.results import read_results
from difffake.evaluation.table import markdown_cells


def latex_of(*tables: PageTable) -> str:
    return as_latex(Contents([], [], list(tables), [], "", [], [], [], [], [], []))


def test_csv_has_every_row_with_all_its_digits(run: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(report_text([run], "csv"))))
    rows = read_results(run)[0]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line["run"] == "guide & <anl>"
        assert {key: line[key] for key in row} == {k: "" if v is None else str(v) for k, v in row.items()}
        assert float(line["auc"]) == row["auc"]


def test_latex_tables_are_booktabs_and_escaped() -> None:
    table = PageTable(
        "50 % of A_B & co", ["Name", "AUC [95 %]"], [["[x] #1_a~b^{c}\\d", "1.0 ± 0.1"]], frozenset(["Name"])
    )
    text = latex_of(table)
    assert r"\caption{50 \% of A\_B \& co.}" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"Name & AUC {[}95 \%] \\" in text
    assert r"{[}x] \#1\_a\textasciitilde{}b\textasciicircum{}\{c\}\textbackslash{}d & 1.0 $\pm$ 0.1 \\" in text
    assert [text.count(rf"\{rule}") for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]


def test_latex_of_a_run_is_balanced_and_every_line_has_its_columns(run: Path) -> None:
    text = report_text([run], "latex")
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert len(set(re.findall(r"\\label\{(.*)\}", text))) == text.count(r"\begin{table}")
    assert r"\textbf" not in text
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [line for line in body.strip().splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {len(columns)}
    assert "Published, not measured" in text


def test_latex_can_place_any_number_of_tables_and_has_its_notes_as_text() -> None:
    table = PageTable("T", ["Name"], [["x"]], frozenset(["Name"]), note="Below 5 %.")
    text = latex_of(*[table] * 30)
    assert max(part.count(r"\begin{table}") for part in text.split(r"\clearpage")) <= 18
    assert r"\par\footnotesize Below 5 \%." in text
    assert text.count(r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%") == 30
    text = as_latex(Contents([], [], [table], [], "", ["100 % of A_B"], [], [], [], [], []))
    assert "\\noindent 100 \\% of A\\_B\\par\n" in text


def test_markdown_has_the_same_cells_as_the_page(run: Path) -> None:
    text = report_text([run], "markdown")
    (folder,) = read_folders([run])
    for table in headline_tables([folder]):
        assert f"**{table.title}**" in text
        for line in table.cells:
            assert f"| {' | '.join(line)} |" in text
    assert text.index("## Results") < text.index("## Published numbers, not measured") < text.index("## All numbers")


def test_one_run_on_one_data_set_shows_its_manipulations(run: Path) -> None:
    (folder,) = read_folders([run])
    name, compression = folder.rows[0]["dataset"], folder.rows[0]["compression"]
    own_rows = [row for row in folder.rows if (row["dataset"], row["compression"]) == (name, compression)]
    one = replace(folder, rows=own_rows)
    for table in headline_tables([one]):
        level = "video" if table.title.startswith("Video") else "frame"
        own = [row for row in one.rows if row["level"] == level and row["n_real"] and row["n_fake"]]
        assert sorted((line[0], line[1]) for line in table.cells) == sorted(
            (row["method"], row["score"]) for row in own
        )
        assert table.columns[0] == "Manipulation"
        assert name in table.title
    assert headline_tables([folder])[0].columns[0] == "Data set"


def test_a_bar_in_a_name_does_not_break_markdown() -> None:
    table = PageTable("T", ["Name", "AUC"], [["a|b", "1"]], frozenset(["Name"]))
    assert markdown_cells(["<script>", "p <0.001", "</td>"]) == ["&lt;script>", "p <0.001", "&lt;/td>"]
    assert "| a\\|b | 1 |" in as_markdown(Contents([], [], [table], [], "", [], [], [], [], [], []))


@pytest.mark.parametrize("kind", ["markdown", "latex", "csv"])
def test_the_command_prints_or_writes(run: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--format", kind]) == 0
    printed = capsys.readouterr().out
    assert printed == report_text([run], kind)  # type: ignore[arg-type]
    out = tmp_path / "tables.txt"
    assert main(["report", str(run), "--format", kind, "--out", str(out)]) == 0
    assert out.read_text() == printed
    assert main(["report", str(run), "--format", kind, "--out", str(out)]) == 1


def test_the_page_is_written_beside_by_default(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(run), "--title", "My <title>"]) == 0
    assert "<h1>My &lt;title&gt;</h1>" in (tmp_path / "report.html").read_text()
