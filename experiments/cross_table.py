"""One table from several result folders: a line for each, a column for each manipulation.

    python experiments/cross_table.py OUT/faceswap-results OUT/reenact-results

AUC in percent with its 95 % interval, at frame level, of the classifier's score. Markdown on standard output.
"""

import argparse
from pathlib import Path

from difffake.evaluation.results import CLASSIFIER, Row, read_results
from difffake.evaluation.tables import percent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Cross-manipulation table.")
    parser.add_argument("runs", type=Path, nargs="+", help="folders that difffake evaluate wrote")
    parser.add_argument("--level", default="frame", choices=["frame", "video"])
    options = parser.parse_args()
    found: dict[str, dict[str, Row]] = {}
    for run in options.runs:
        rows = read_results(run)[0]
        kept = [row for row in rows if row["level"] == options.level and row["score"] == CLASSIFIER]
        found[run.name.removesuffix("-results")] = {row["method"]: row for row in kept}
    columns = list(dict.fromkeys(method for rows in found.values() for method in rows))
    print(f"| trained on | {' | '.join(columns)} |")
    print(f"| :-- |{' --: |' * len(columns)}")
    for name, rows in found.items():
        print(f"| {name} | {' | '.join(cell(rows.get(column)) for column in columns)} |")


def cell(row: Row | None) -> str:
    """AUC in percent with its interval."""
    if row is None:
        return percent(None)
    return f"{percent(row['auc'])} [{percent(row['auc_low'])}, {percent(row['auc_high'])}]"


if __name__ == "__main__":
    main()
