r"""The tables of a report as Markdown, LaTeX and CSV.

No value is printed bold. A bold number claims that it is better than all others; the tests of `difffake compare` say
only which differ from the baseline by more than chance. Such rows have a mark.
"""

import csv
import io
from collections.abc import Sequence

from difffake.evaluation.report.contents import Contents
from difffake.evaluation.report.tables import PageTable
from difffake.evaluation.results import ROW_TEXTS
from difffake.evaluation.table import markdown_cells

_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "▲": r"$\uparrow$", "▼": r"$\downarrow$", "…": r"\dots{}",
    "[": "{[}",  # after a line break, a bracket would begin an option
})  # fmt: skip


_FLOATS = 12
"""Tables after which LaTeX must place them; it cannot hold more than 18 unplaced ones."""


def as_markdown(contents: Contents) -> str:
    """All tables as Markdown, with their remarks."""
    blocks = []
    for heading, tables, lines in _parts(contents):
        blocks.append(f"## {heading}\n")
        blocks += [_markdown(table) for table in tables]
        blocks += [f"{line}\n" for line in lines]
    return "\n".join(blocks)


def as_latex(contents: Contents) -> str:
    r"""All tables as LaTeX, one `table` each; they need the packages booktabs and graphicx."""
    blocks = ["% Needs \\usepackage{booktabs,graphicx}. Rates are in percent.\n"]
    number = 0
    for heading, tables, lines in _parts(contents):
        blocks.append(f"% {heading}\n")
        for table in tables:
            number += 1
            blocks.append(_latex(table, number))
            if number % _FLOATS == 0:
                blocks.append("\\clearpage\n")
        blocks += [f"\\noindent {line.translate(_LATEX)}\\par\n" for line in lines]
    return "\n".join(blocks)


def as_csv(contents: Contents) -> str:
    """All measured rows of results.json of all runs, with their name; rates are in [0, 1], with all their digits."""
    rows = [{"run": run.name} | row for run in contents.runs for row in run.rows]
    columns = list(dict.fromkeys(["run", *ROW_TEXTS, *(key for row in rows for key in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _parts(contents: Contents) -> list[tuple[str, Sequence[PageTable], Sequence[str]]]:
    """Headings with their tables and lines of text; parts without tables are left out."""
    parts: list[tuple[str, Sequence[PageTable], Sequence[str]]] = [
        ("Results", contents.headline, [*contents.remarks, *filter(None, [contents.withheld])]),
        ("Published numbers, not measured", contents.published, []),
        *(("Comparison", found.tables, found.lines) for found in contents.compared),
        ("Across data sets", contents.across, contents.across_remarks),
        ("Robustness", contents.robustness, []),
        *(
            (f"All numbers: {run.name}", tables, [])
            for run, tables in zip(contents.runs, contents.details, strict=True)
        ),
    ]
    return [part for part in parts if part[1]]


def _markdown(table: PageTable) -> str:
    rule = [":--" if column in table.texts else "--:" for column in table.columns]
    lines = [markdown_cells(line) for line in (table.columns, *table.cells)]
    lines.insert(1, rule)
    below = [f"\n{text}\n" for text in (table.note, f"Published: {table.source}." if table.source else "") if text]
    return f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n" + "".join(below)


def _latex(table: PageTable, number: int) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"

    caption = table.title + (f". Published, not measured: {table.source}" if table.source else "")
    return "\n".join([
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption.translate(_LATEX)}.}}",
        rf"\label{{tab:difffake-{number}}}",
        # A table that is too wide is scaled to the width of the text.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('l' if column in table.texts else 'r' for column in table.columns)}}}",
        r"\toprule",
        line(table.columns),
        r"\midrule",
        *map(line, table.cells),
        r"\bottomrule",
        r"\end{tabular}}",
        *([rf"\par\footnotesize {table.note.translate(_LATEX)}"] if table.note else []),
        r"\end{table}",
        "",
    ])  # fmt: skip
