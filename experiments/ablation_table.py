"""Tables of `ablation.sh`: a line for each row of the ablation, mean and spread over seeds.

    python experiments/ablation_table.py OUT/runs --study guide

Frame-level AUC and EER of the classifier in percent. `mean (low to high)` over seeds; for one seed its 95 % bootstrap
interval in brackets. Markdown on standard output.
"""

import argparse
import statistics
from pathlib import Path

from difffake.evaluation.results import CLASSIFIER, Row, read_results

GUIDE = {
    "plain": "no guide",
    "none": "random teacher, no filter, no weights",
    "filter+weight": "random teacher, filter, weights",
    "sd": "pretrained, no filter, no weights",
    "sd+filter": "pretrained, filter",
    "sd+weight": "pretrained, weights",
    "all": "pretrained, filter, weights: the whole guide",
}
ANL = {
    "plain": "neither",
    "noise": "noise loss",
    "attention": "attention loss",
    "anl": "noise learning: both losses, `image`, t = 50",
    "all": "guide",
    "both": "noise learning and guide",
    "t1": "noise learning, t = 1",
    "t200": "noise learning, t = 200",
    "t500": "noise learning, t = 500",
    "ddim_inversion": "noise learning, `ddim_inversion`",
    "injected": "noise learning, `injected`",
}
ROWS = {"guide": GUIDE, "anl": ANL}
SETS = {"guide": ("testbed", "dfdc"), "anl": ("testbed", "diffusion", "dfdc")}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Ablation tables.")
    parser.add_argument("runs", type=Path, help="folder of the runs")
    parser.add_argument("--study", choices=[*ROWS], default="guide", help="default %(default)s")
    options = parser.parse_args()
    rows = ROWS[options.study]
    for test in SETS[options.study]:
        found = {name: results(options.runs, name, test) for name in rows}
        columns = list(dict.fromkeys(method for seeds in found.values() for seed in seeds for method in seed))
        print(f"\n| {test}: AUC (EER) | seeds |" + "".join(f" {column} |" for column in columns))
        print("| :-- | --: |" + " --: |" * len(columns))
        for name, seeds in found.items():
            if seeds:
                cells = "".join(f" {cell([seed[column] for seed in seeds])} |" for column in columns)
                print(f"| {rows[name]} | {len(seeds)} |{cells}")
        print(f"\n{test}, each seed with its 95 % bootstrap interval:")
        for name in rows:
            for number, seed in enumerate(found[name]):
                values = ", ".join(f"{column} {with_interval(seed[column])}" for column in columns)
                print(f"- {rows[name]}, run {number + 1}: {values}")


def results(runs: Path, name: str, test: str) -> list[dict[str, Row]]:
    """Rows by manipulation, of each seed that was run."""
    folders = sorted(runs.glob(f"{name}-[0-9]*-{test}"))
    kept = []
    for folder in folders:
        rows = [row for row in read_results(folder)[0] if row["level"] == "frame" and row["score"] == CLASSIFIER]
        kept.append({row["method"]: row for row in rows})
    return kept


def cell(rows: list[Row]) -> str:
    """AUC and EER over seeds."""
    auc = [100 * float(row["auc"] or 0) for row in rows]
    eer = statistics.mean(100 * float(row["eer"] or 0) for row in rows)
    if len(rows) == 1:
        return f"{with_interval(rows[0])} ({eer:.1f})"
    return f"{statistics.mean(auc):.1f} ({min(auc):.1f} to {max(auc):.1f}) (EER {eer:.1f})"


def with_interval(row: Row) -> str:
    """AUC in percent with its interval."""
    return " ".join([
        f"{100 * float(row['auc'] or 0):.1f}",
        f"[{100 * float(row['auc_low'] or 0):.1f}, {100 * float(row['auc_high'] or 0):.1f}]",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
