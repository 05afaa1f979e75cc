"""The command `protocol`: the protocols of papers, with the published numbers beside what is measured."""

import shlex
import subprocess
from pathlib import Path
from typing import Annotated

from rich.console import Console

from difffake.commands import prepare
from difffake.commands.parse import AtLeast, parse
from difffake.errors import UsageError, UserError
from difffake.evaluation.published import published_tables
from difffake.evaluation.report.write import write_report
from difffake.files import staged_file
from difffake.progress import console
from difffake.readers.reader import find_readers
from difffake.sweeps.collect import read_run_result
from difffake.sweeps.one_run import COMMAND
from difffake.sweeps.protocol import Plan, Protocol, make_plan, protocol_files, read_protocol, read_roots
from difffake.sweeps.protocol_tables import beside_published
from difffake.sweeps.run import run_sweep
from difffake.sweeps.summary import markdown_page, print_tables
from difffake.sweeps.sweep_file import run_id, runs_of

EXAMPLES = (
    "difffake protocol list",
    "difffake protocol diffusionfake",
    "difffake protocol diffusionfake --data roots.yaml",
    "difffake protocol cross-dataset --data roots.yaml --partial --seeds 0 --run",
)


def protocol(
    name: str,
    /,
    data: Path | None = None,
    out: Path = Path("protocols"),
    run: bool = False,
    partial: bool = False,
    seeds: list[Annotated[int, AtLeast(0)]] = [],  # noqa: B006  # never changed
    settings: list[str] = [],  # noqa: B006
    jobs: Annotated[int, AtLeast(1)] = 1,
) -> int:
    """Print or run all commands of a paper's protocol, and show its published numbers beside the measured ones.

    Data are prepared once: where a folder with the same settings is there, it is used. The runs are those of a sweep
    (`difffake sweep`), so the same command with --run continues where it was stopped.

    Args:
        name: name of a protocol, or a YAML file like those in configs/protocols; list shows all protocols.
        data: YAML file that names the folders of downloaded data sets, with lines such as ffpp: /data/FaceForensics++.
            Without it, the command shows which data sets the protocol needs. A folder that difffake prepare wrote is
            used as it is.
        out: folder to write: data/ with the prepared data of all protocols; and a folder per protocol with its runs,
            report.html and published.md.
        run: run the commands instead of printing them.
        partial: leave out test data that --data does not name. Runs with more data later train again.
        seeds: seeds to run, instead of those of the protocol.
        settings: names of the protocol's settings to run; by default all.
        jobs: number of runs at the same time; each gets its share of the GPUs and cores.
    """
    if name == "list":
        print("\n".join(_listed()))
        return 0
    chosen = read_protocol(name)
    if data is None:
        if run:
            raise UsageError("--run needs --data: a YAML file that names the folders of the data sets")
        print("\n".join(_needs(chosen)))
        return 0
    plan = make_plan(chosen, read_roots(data, chosen), out, partial, seeds, settings)
    for command in plan.prepare.values():
        if command:
            try:
                parse("difffake prepare", prepare.prepare, prepare.EXAMPLES, command[1:])
            except UsageError as error:
                raise UserError(f"{chosen.path}: {error}") from error
    if plan.left_out:
        console.print(f"left out, not in {data}: {', '.join(plan.left_out)}")
    if run:
        return _run(chosen, plan, jobs)
    print("\n".join(_printed(chosen, plan)))
    return 0


def _listed() -> list[str]:
    lines = []
    for name in protocol_files():
        found = read_protocol(name)
        tables = ", ".join(found.published) or "none known here"
        lines += [name, f"    {found.title}", f"    data: {', '.join(found.roots())}", f"    published: {tables}"]
    return lines


def _needs(chosen: Protocol) -> list[str]:
    """What --data must name, as such a file."""
    readers = find_readers()
    lines = [f"# {chosen.title}", "# Write the folders of these data sets into a file, and name it with --data:"]
    for root, names in chosen.roots().items():
        reader = readers.get(str(chosen.data[names[0]]["reader"]))
        lines.append(f"{root}: /path/to/{root}  # {reader.layout if reader else chosen.data[names[0]]['reader']}")
    return lines


def _printed(chosen: Protocol, plan: Plan) -> list[str]:
    """The commands as lines of a shell script."""
    lines = [f"# {chosen.title}"]
    for folder, command in plan.prepare.items():
        lines.append(shlex.join(["difffake", *command]) if command else f"# {folder} is prepared")
    for name, commands in plan.commands():
        lines += ["", f"# {name}", *(shlex.join(["difffake", *command]) for command in commands)]
    return [*lines, "", shlex.join(["difffake", *plan.report()])]


def _run(chosen: Protocol, plan: Plan, jobs: int) -> int:
    for command in plan.prepare.values():
        if command and (status := subprocess.run([*COMMAND, *command]).returncode):
            return status
    if status := run_sweep(plan.sweep, plan.runs, jobs, None, ("auc",), 0):
        return status
    write_report(plan.evaluations(), plan.folder / "report.html", overwrite=True)
    results = [
        read_run_result(values, plan.runs / run_id(values), plan.sweep.metric, plan.sweep.goal)
        for values in runs_of(plan.sweep)
    ]
    tables = [table for name in chosen.published for table in beside_published(results, published_tables()[name])]
    console.print(f"wrote {plan.folder}/report.html")
    if tables:
        page = plan.folder / "published.md"
        with staged_file(page) as partial:
            partial.write_text(markdown_page(tables, chosen.title, "Mean ± standard deviation over seeds."))
        print_tables(tables, Console())
        console.print(f"the same tables: {page}")
    return 0
