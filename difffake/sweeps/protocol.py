"""Protocols: how papers divide data sets into training and test, as files in configs/protocols.

A protocol is the preparation of its data sets and a sweep (`sweep_file`) over settings and seeds:

    title: one line
    data:                  # by their names in manifests, options of `difffake prepare`
      ffpp: {reader: ffpp, compressions: [c23], frames: 50}
      faceshifter: {root: ffpp, reader: ffpp, methods: [FaceShifter]}    # root: its name in ROOTS.yaml, if another
    train: [ffpp]
    test: [ffpp, faceshifter]
    published: [diffusionfake-4]       # tables of evaluation/published.yaml; a setting is called as the row there
    metric: auc/frame/classifier       # that the sweep's settings are sorted by
    parameters: {...}                  # of the sweep, without train and test

A setting that is tested on one column of a published table alone is called "ROW, tested on COLUMN".
"""

import difflib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from difffake.data.manifest import manifest_file
from difffake.errors import UserError
from difffake.evaluation.published import published_tables
from difffake.files import shipped, text_hash
from difffake.sweeps import one_run
from difffake.sweeps.sweep_file import Sweep, command_of, run_id, runs_of, sweep_of
from difffake.swept import Values, text_of

FOLDER = "configs/protocols"
_KEYS = ("title", "data", "train", "test", "published", "metric", "parameters")
_LISTS = ("train", "test", "published")


@dataclass(frozen=True)
class Protocol:
    """A protocol as its file says."""

    path: Path
    title: str
    data: dict[str, dict[str, Any]]
    """By name in manifests: options of `difffake prepare`, and maybe `root`."""
    train: list[str]
    test: list[str]
    published: list[str]
    metric: str
    parameters: dict[str, Any]

    def roots(self) -> dict[str, list[str]]:
        """Names in ROOTS.yaml, and which data sets of the protocol are read from each."""
        found: dict[str, list[str]] = {}
        for name, options in self.data.items():
            found.setdefault(options.get("root", name), []).append(name)
        return found


@dataclass(frozen=True)
class Plan:
    """What is to be done for a protocol with certain data.

    `prepare` has each data set's folder with the words of the command `difffake` that makes it, None where the folder
    was made before; `left_out` are the names of data sets without a folder.
    """

    folder: Path
    prepare: dict[Path, list[str] | None]
    sweep: Sweep
    left_out: list[str]

    @property
    def runs(self) -> Path:
        """Folder of the sweep."""
        return self.folder / "runs"

    def evaluations(self) -> list[Path]:
        """Folder of the results of each run."""
        return [self.runs / run_id(values) / "evaluation" for values in runs_of(self.sweep)]

    def commands(self) -> list[tuple[str, list[list[str]]]]:
        """What each run is called, and the words of its commands `difffake`, in their order."""
        found = []
        for values in runs_of(self.sweep):
            words = command_of(self.sweep, values)
            run = one_run.read_run(words[words.index(one_run.PROGRAM) + 1 :])
            stages = one_run.stages(run, self.runs / run_id(values))
            found.append((_run_name(values), [command for _, command in stages]))
        return found

    def report(self) -> list[str]:
        """Words of the command `difffake` that makes the report."""
        out = ["--out", str(self.folder / "report.html"), "--overwrite"]
        return ["report", *map(str, self.evaluations()), *out]


def protocol_files() -> dict[str, Path]:
    """The protocols that come with the package, by name."""
    return {path.stem: path for path in sorted(shipped(FOLDER).glob("*.yaml"))}


def read_protocol(name: str) -> Protocol:
    """A protocol by its name or its file. Raises `UserError` for one that is unknown, and for mistakes in its file."""
    known = protocol_files()
    path = known.get(name, Path(name))
    if name not in known and path.suffix not in (".yaml", ".yml"):
        raise UserError(f"{name} is no protocol (or a file such as mine.yaml): {_advice(name, known)}")
    content = _read_yaml(path, "a protocol")
    if missing := [key for key in _KEYS if key not in content]:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    if unknown := [key for key in content if key not in _KEYS]:
        raise UserError(f"{path}: {unknown[0]} is unknown: {_advice(str(unknown[0]), _KEYS)}")
    found = Protocol(path, **content)
    for key in _LISTS:
        if not isinstance(content[key], list):
            raise UserError(f"{path}: {key} must be a list, such as [ffpp]")
    for key in ("data", "parameters"):
        if not isinstance(content[key], dict) or not all(isinstance(entry, dict) for entry in content[key].values()):
            raise UserError(f"{path}: {key} must have names with their options: {{reader: ffpp}} or {{values: [0, 1]}}")
    if not found.train or not found.test:
        raise UserError(f"{path}: train and test must each name a data set")
    for listed, names in (("train", found.data), ("test", found.data), ("published", published_tables())):
        if wrong := [entry for entry in content[listed] if entry not in names]:
            raise UserError(f"{path}: {listed} names {wrong[0]}, which is unknown: {_advice(str(wrong[0]), names)}")
    if without := [name for name, options in found.data.items() if "reader" not in options]:
        raise UserError(f"{path}: {without[0]} has no reader: `difffake prepare --reader list` shows all")
    return found


def read_roots(path: Path, protocol: Protocol) -> dict[str, Path]:
    """Folders of data sets by name, from a YAML file `NAME: FOLDER`; relative ones begin at the file.

    Raises `UserError` if the file is missing or broken, or a name or folder is not there.
    """
    content = _read_yaml(path, "a file with lines such as ffpp: /data/FaceForensics++")
    known = {name for other in protocol_files() for name in read_protocol(other).roots()} | protocol.roots().keys()
    found = {}
    for name, folder in content.items():
        if name not in known:
            raise UserError(f"{path}: {name} is no data set of a protocol: {_advice(str(name), known)}")
        if not isinstance(folder, str) or not folder:
            raise UserError(f"{path}: {name} must name a folder, such as {name}: /data/{name}")
        found[name] = path.parent / Path(folder).expanduser()
        if not found[name].exists():
            raise UserError(f"{path}: {name}: {found[name]} does not exist")
    return found


def make_plan(
    protocol: Protocol,
    roots: Mapping[str, Path],
    out: Path,
    partial: bool = False,
    seeds: Sequence[int] = (),
    settings: Sequence[str] = (),
) -> Plan:
    """What is to be done for a protocol.

    Args:
        protocol: from `read_protocol`.
        roots: folders of data sets by name. One that was prepared already (it has a manifest.parquet) is used as it is.
        out: folder; prepared data go to data/ in it, where other protocols find them, all else to NAME/ in it.
        partial: leave out test data that have no folder.
        seeds: seeds to run instead of the protocol's.
        settings: names of the settings to run; all, if there are none.

    Raises:
        UserError: data have no folder and `partial` does not allow it, or are trained on; a setting is unknown; or the
            environment replaces data, as `difffake sweep` allows.
    """
    if replaced := [name for name in ("TRAIN", "TEST", "CKPT") if os.environ.get(name)]:
        raise UserError(f"{replaced[0]} is set in the environment and would replace the protocol's data: unset it")
    left_out = [name for name, options in protocol.data.items() if options.get("root", name) not in roots]
    if lost := [name for name in left_out if name in protocol.train]:
        raise UserError(f"{', '.join(lost)} is trained on and not in --data: add its folder")
    if left_out and not partial:
        raise UserError(f"{', '.join(left_out)} not in --data: add their folders, or --partial to leave them out")
    tests = [name for name in protocol.test if name not in left_out]
    if not tests:
        raise UserError(f"no test data in --data: add the folder of one of {', '.join(protocol.test)}")
    prepare: dict[Path, list[str] | None] = {}
    folders = {}
    for name, options in protocol.data.items():
        if name not in left_out:
            root = roots[options.get("root", name)]
            folder, command = _preparation(name, root, options, out / "data")
            folders[name] = folder
            prepare[folder] = None if manifest_file(folder).is_file() else command
    parameters = {name: _shipped_configs(entry) for name, entry in protocol.parameters.items()}
    if seeds:
        parameters["seed_everything"] = {"values": list(seeds)}
    if settings:
        parameters["setting"] = {"values": _chosen(protocol, settings)}
    for key, names in (("train", protocol.train), ("test", tests)):
        parameters[key] = {"value": shlex.join(str(folders[name]) for name in names)}
    content = {
        "method": "grid",
        "program": one_run.PROGRAM,
        "metric": {"name": protocol.metric, "goal": "maximize"},
        "command": ["${env}", "${interpreter}", "-m", "${program}", "${args}"],
        "parameters": parameters,
    }
    return Plan(out / protocol.path.stem, prepare, sweep_of(content, protocol.path), left_out)


def setting_names(protocol: Protocol) -> list[str]:
    """What the settings of a protocol are called."""
    return [text_of("setting", value) for value in protocol.parameters.get("setting", {}).get("values", [])]


def _preparation(name: str, root: Path, options: Mapping[str, Any], data: Path) -> tuple[Path, list[str]]:
    """Folder of a prepared data set, named by its settings, and the command that makes it."""
    if root.is_dir() and manifest_file(root).is_file():
        return root, []
    chosen = {key: value for key, value in options.items() if key != "root"}
    settings = json.dumps([chosen, str(root.resolve())], sort_keys=True)
    folder = data / f"{name}-{text_hash(settings)[:8]}"
    words = ["prepare", "--root", str(root), "--out", str(folder), "--dataset", name]
    for key, value in chosen.items():
        words += [f"--{key.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return folder, words


def _shipped_configs(entry: dict[str, Any]) -> dict[str, Any]:
    """A parameter of a sweep whose configs are found wherever the package is installed."""

    def found(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [str(_short(shipped(part))) if part.startswith("configs/") else part for part in value.split()]
        return " ".join(map(str, parts)) if "configs/" in value else value

    return {key: list(map(found, value)) if isinstance(value, list) else found(value) for key, value in entry.items()}


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _chosen(protocol: Protocol, settings: Sequence[str]) -> list[str]:
    values = dict(zip(setting_names(protocol), protocol.parameters.get("setting", {}).get("values", []), strict=True))
    if unknown := [name for name in settings if name not in values]:
        raise UserError(f"--settings {unknown[0]} is unknown: {_advice(unknown[0], values)}")
    return [_shipped_configs({"value": values[name]})["value"] for name in settings]


def _run_name(values: Values) -> str:
    setting = text_of("setting", values["setting"]) if "setting" in values else "run"
    return f"{setting}, seed {values.get('seed_everything', 0)}"


def _read_yaml(path: Path, expected: str) -> dict[Any, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: name {expected}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must be {expected}")
    return content


def _advice(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(map(str, known)), 1)
    return f"did you mean {close[0]}?" if close else f"choose among {', '.join(sorted(map(str, known)))}"
