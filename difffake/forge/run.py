"""A testbed of forgeries from real faces: units of work in several processes, and collecting their results."""

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import scipy
import torch

import difffake
from difffake.data.credits import CREDIT, credit
from difffake.data.manifest import Manifest, manifest_file
from difffake.data.records import RECORDS
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import resumable_folder, sha256
from difffake.forge.methods import METHODS
from difffake.forge.networks import train_networks
from difffake.forge.pairing import Clip, Pair, clips_of, look, pair_copies
from difffake.forge.readme import write_readme
from difffake.forge.task import Settings, Task
from difffake.forge.work import Worker
from difffake.progress import console, track
from difffake.workers import in_processes

STILLS = 16
"""Number of stills in a unit of work."""


def forge_faces(
    real: Manifest, settings: Settings, out: Path, note: str, workers: int = 0, overwrite: bool = False
) -> tuple[int, float]:
    """Forge real faces. A run with the same `note` as an interrupted run continues it.

    Args:
        real: real faces with landmarks, from `inputs.real_faces`.
        settings: methods and other settings of the forgeries.
        out: folder to write: manifest.parquet, crops/, masks/, forgeries.parquet, skipped.csv, README.md, and
            CREDIT.txt if the faces ask for a credit.
        note: text about everything that the output depends on, from `fingerprint`.
        workers: number of processes; 0 is one per core.
        overwrite: replace an existing output folder, or what an interrupted run with another `note` left.

    Returns:
        The number of forged crops, and the seconds that forging took.

    Raises:
        UserError: no face can be forged, or the folder must not be written.
    """
    tasks, left_out = _tasks(real, settings.seed, settings.copies)
    if not any(task.pair for task in tasks):
        raise UserError(f"nothing can be forged from {real.root}: {left_out[0][1]}")
    with resumable_folder(out, note, overwrite) as folder:
        done = _forge_all(real, tasks, settings, folder, workers or os.cpu_count() or 1)
        made = _collect(folder, left_out)
        write_readme(folder, settings, made)
        if faces := credit(real):
            (folder / CREDIT).write_text(faces + "\n", encoding="utf-8")
    return done


def fingerprint(path: Path, split: str, settings: Settings) -> str:
    """Text about everything that the output depends on."""
    libraries = {module.__name__: module.__version__ for module in (difffake, av, cv2, np, scipy, torch)}
    if settings.diffusion:
        weights = load_diffusion(DiffusionConfig(settings.diffusion)).fingerprint()
        libraries |= {"diffusers": version("diffusers"), "weights": weights}
    return json.dumps(
        {**vars(settings), "manifest": sha256(manifest_file(path)), "split": split, **libraries}, indent=1
    )


def _forge_all(real: Manifest, tasks: list[Task], settings: Settings, folder: Path, workers: int) -> tuple[int, float]:
    """Do all units of work that are not done yet; return the number of forged crops and the seconds."""
    train = np.flatnonzero(real.table["split"] == "train").tolist()
    if not train:
        if any(METHODS[method].network for method in settings.methods):
            console.print("there is no split train: networks of methods are trained on all faces")
        train = list(range(len(real)))
    train_networks(Worker(real, settings, folder), tasks, train, folder / "networks")
    units = [(name, unit) for name, unit in _units(tasks) if not (folder / "units" / f"{name}.json").is_file()]
    start = time.perf_counter()
    done = _done(units, min(workers, len(units)), real, settings, folder)
    return sum(track(done, "forging", total=len(units))), time.perf_counter() - start


def _done(
    units: list[tuple[str, list[Task]]], workers: int, real: Manifest, settings: Settings, folder: Path
) -> Iterator[int]:
    """Do the units, in this or in several processes; yield the number of forged crops of each."""
    if workers <= 1:
        worker = Worker(real, settings, folder)
        for name, tasks in units:
            yield worker(name, tasks)
        return
    yield from in_processes(_work, units, workers, _start_worker, (real, settings, folder))


_worker: Worker  # of this process


def _start_worker(manifest: Manifest, settings: Settings, folder: Path) -> None:
    global _worker
    _worker = Worker(manifest, settings, folder)


def _work(unit: tuple[str, Sequence[Task]]) -> int:
    return _worker(*unit)


def _tasks(real: Manifest, seed: int, copies: int) -> tuple[list[Task], list[tuple[Clip, str]]]:
    """Every clip and still with its pair, as often as it is forged, and the clips without a source."""
    looks = np.stack([
        look(read_image(real.file(row)), points)
        for row in track(range(len(real)), "poses") if (points := real.landmarks(row)) is not None
    ])  # fmt: skip
    clips = clips_of(real, looks)
    rows_of: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for clip in clips:
        rows_of[clip.identity] += clip.rows
    tasks, left_out = [], []
    for copy, (pairs, without) in enumerate(pair_copies(clips, seed, copies)):
        pair_of: dict[str, Pair] = {pair.target.name: pair for pair in pairs}
        left_out += without
        for clip in clips:
            pair = pair_of.get(clip.name)
            people = rows_of[clip.identity], rows_of[pair.source.identity] if pair else ()
            tasks.append(Task(clip, pair, people, copy))
    return tasks, left_out


def _units(tasks: list[Task]) -> Iterator[tuple[str, list[Task]]]:
    """Named units of work: one clip, or several stills."""
    stills = [task for task in tasks if not task.clip.moving]
    moving = [task for task in tasks if task.clip.moving]
    for number, task in enumerate(moving):
        yield f"clip-{number:06d}", [task]
    for number, start in enumerate(range(0, len(stills), STILLS)):
        yield f"still-{number:06d}", stills[start : start + STILLS]


def _collect(folder: Path, left_out: list[tuple[Clip, str]]) -> Manifest:
    """Join the rows of all units in order into manifest, forgeries and skipped, and delete temporary files."""
    unpaired: list[dict[str, object]] = [
        {"target": clip.name, "frame": None, "method": "all", "reason": reason} for clip, reason in left_out
    ]
    found: dict[str, list[dict[str, object]]] = {"manifest": [], "forgeries": [], "skipped": unpaired}
    files = sorted((folder / "units").glob("*.json"))
    for file in files:
        for name, rows in json.loads(file.read_text()).items():
            found[name] += rows
    if not found["forgeries"]:
        reasons = pd.Series([str(row["reason"]) for row in found["skipped"]]).value_counts()
        shutil.rmtree(folder)  # there is nothing to continue
        raise UserError(f"nothing could be forged: {reasons.index[0]}")
    manifest = Manifest(pd.DataFrame(found["manifest"]), folder)
    manifest.write(folder / "manifest.parquet")
    pd.DataFrame(found["forgeries"]).to_parquet(folder / RECORDS, index=False)
    skipped = pd.DataFrame(found["skipped"], columns=["target", "frame", "method", "reason"])
    skipped.to_csv(folder / "skipped.csv", index=False)
    shutil.rmtree(folder / "units")
    return manifest
