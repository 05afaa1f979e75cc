"""Tables of `ablation.sh`: a line for each row of the ablation, mean and spread over seeds.

    python experiments/ablation_table.py OUT/runs --study guide

Frame-level metrics of the classifier in percent: `mean (low to high)` over seeds, and each seed with its 95 % bootstrap
interval in brackets. ACC is at the threshold that was chosen on the validation split of the method trained on. Markdown
on standard output.
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
SETS = {"guide": ("testbed", "dfdc"), "anl": ("testbed", "diffusion")}
METRICS = {"guide": ("auc", "eer"), "anl": ("auc", "ap", "acc")}


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
        for metric in METRICS[options.study]:
            print(f"\n| {test}: {metric.upper()} | seeds |" + "".join(f" {column} |" for column in columns))
            print("| :-- | --: |" + " --: |" * len(columns))
            for name, seeds in found.items():
                if seeds:
                    cells = "".join(f" {cell([seed[column] for seed in seeds], metric)} |" for column in columns)
                    print(f"| {rows[name]} | {len(seeds)} |{cells}")
        print(f"\n{test}, each seed with its 95 % bootstrap interval:")
        for name in rows:
            for number, seed in enumerate(found[name]):
                for metric in METRICS[options.study]:
                    values = ", ".join(f"{column} {with_interval(seed[column], metric)}" for column in columns)
                    print(f"- {rows[name]}, run {number + 1}, {metric.upper()}: {values}")


def results(runs: Path, name: str, test: str) -> list[dict[str, Row]]:
    """Rows by manipulation, of each seed that was run."""
    folders = sorted(runs.glob(f"{name}-[0-9]*-{test}"))
    kept = []
    for folder in folders:
        rows = [row for row in read_results(folder)[0] if row["level"] == "frame" and row["score"] == CLASSIFIER]
        kept.append({row["method"]: row for row in rows})
    return kept


def cell(rows: list[Row], metric: str) -> str:
    """One metric over seeds."""
    if len(rows) == 1:
        return with_interval(rows[0], metric)
    values = [100 * float(row[metric]) for row in rows]
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def with_interval(row: Row, metric: str) -> str:
    """One metric of one run in percent, with its interval."""
    value, low, high = (100 * float(row[metric + end]) for end in ("", "_low", "_high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
