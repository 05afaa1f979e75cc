"""The command `forge`: a testbed of forgeries from any manifest of real faces."""

import json
import multiprocessing
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import scipy
import torch

import difffake
from difffake.data.manifest import Manifest, manifest_file
from difffake.data.records import RECORDS
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import refuse_existing, resumable_folder, sha256
from difffake.forge.audit import check_shortcuts
from difffake.forge.inputs import check_settings, real_faces
from difffake.forge.networks import train_networks
from difffake.forge.pairing import Clip, Pair, clips_of, look, pair_clips
from difffake.forge.readme import write_readme
from difffake.forge.task import Settings, Task
from difffake.forge.work import Worker
from difffake.progress import console, track

STILLS = 16
"""Stills that a process forges before it notes that they are done."""


def forge(
    manifest: Path,
    methods: str = "",
    out: Path | None = None,
    compression: Sequence[str] = ("c23",),
    diffusion: str = "",
    size: int = 224,
    split: str = "all",
    check: bool = False,
    workers: int = 0,
    seed: int = 0,
    overwrite: bool = False,
) -> int:
    """Forge real faces by several methods: a testbed with source, target and mask known, not a public benchmark.

    An interrupted run goes on where it was when the same command is given again. Without --methods and --out, --check
    checks a manifest that has fakes already.

    Args:
        manifest: real faces with landmarks, from difffake prepare; its fakes are left out, its splits are kept.
        methods: faceswap, alpha_swap, reenact, mouth_texture, autoencoder, diffusion_swap, synthesis: one or several
            with commas between.
        out: folder to write: manifest.parquet, crops/, masks/, forgeries.parquet, skipped.csv.
        compression: raw, c23 (H.264 at factor 23) or c40; real and forged faces alike.
        diffusion: frozen diffusion model for diffusion_swap and synthesis: a folder of difffake pretrain-guide, a Hub
            name, or drawn-faces for drawn faces; run on the CPU.
        size: side of all crops in pixels; an even number.
        split: forge only the faces of one split (test, for instance); all is every face.
        check: see whether trivial cues (file size, color, sharpness, border) tell real from fake; fails if they do.
        workers: processes; 0 is one a core.
        seed: of all random numbers.
        overwrite: replace an existing output folder, or the rest of an interrupted run with other settings.
    """
    if check and not methods and out is None:
        return check_shortcuts(Manifest.read(manifest), None, workers, seed)
    if not methods or out is None:
        raise UserError("give --methods and --out to forge, or neither with --check to check a manifest that has fakes")
    names = [name.strip() for name in methods.split(",") if name.strip()]
    settings = Settings(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(compression)), size, seed, diffusion)
    check_settings(settings)
    real = real_faces(manifest, split)
    refuse_existing(out, overwrite, [real.root, *([settings.diffusion] if settings.diffusion else [])])
    note = _fingerprint(manifest, split, settings)
    start = time.perf_counter()
    tasks, left_out = _tasks(real, settings.seed)
    if not any(task.pair for task in tasks):
        raise UserError(f"nothing can be forged of {manifest}: {left_out[0][1]}")
    with resumable_folder(out, note, overwrite) as folder:
        crops, seconds = _forge_all(real, tasks, settings, folder, workers or os.cpu_count() or 1)
        made = _collect(folder, left_out)
        write_readme(folder, settings, made)
    _print_summary(out, crops, seconds, time.perf_counter() - start)
    return check_shortcuts(Manifest.read(out), out, workers, seed) if check else 0


def _fingerprint(path: Path, split: str, settings: Settings) -> str:
    """What the output depends on, as text."""
    libraries = {module.__name__: module.__version__ for module in (difffake, av, cv2, np, scipy, torch)}
    if settings.diffusion:
        weights = load_diffusion(DiffusionConfig(settings.diffusion)).fingerprint()
        libraries |= {"diffusers": version("diffusers"), "weights": weights}
    return json.dumps(
        {**vars(settings), "manifest": sha256(manifest_file(path)), "split": split, **libraries}, indent=1
    )


def _forge_all(real: Manifest, tasks: list[Task], settings: Settings, folder: Path, workers: int) -> tuple[int, float]:
    """Do all units of work that are not done yet; gives how many crops were forged in how many seconds."""
    train = np.flatnonzero(real.table["split"] == "train").tolist()
    if not train:
        console.print("there is no split train: methods with a network train it on all faces")
        train = list(range(len(real)))
    train_networks(Worker(real, settings, folder), tasks, train, folder / "networks")
    units = [(name, unit) for name, unit in _units(tasks) if not (folder / "units" / f"{name}.json").is_file()]
    start = time.perf_counter()
    done = _done(units, min(workers, len(units)), real, settings, folder)
    return sum(track(done, "forging", total=len(units))), time.perf_counter() - start


def _done(
    units: list[tuple[str, list[Task]]], workers: int, real: Manifest, settings: Settings, folder: Path
) -> Iterator[int]:
    """Do the units, here or in several processes; gives the number of forged crops of each."""
    if workers <= 1:
        worker = Worker(real, settings, folder)
        for name, tasks in units:
            yield worker(name, tasks)
        return
    # Fresh processes, because forking one in which OpenCV or torch already runs threads can hang.
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(real, settings, folder)
    ) as pool:
        jobs = [pool.submit(_work, name, tasks) for name, tasks in units]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: Worker  # of this process


def _start_worker(manifest: Manifest, settings: Settings, folder: Path) -> None:
    global _worker
    _worker = Worker(manifest, settings, folder)
    parent = multiprocessing.parent_process()
    assert parent is not None
    # If the parent is killed, nobody reads what this process makes, and a new run may be making it.
    threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _work(name: str, tasks: Sequence[Task]) -> int:
    return _worker(name, tasks)


def _tasks(real: Manifest, seed: int) -> tuple[list[Task], list[tuple[Clip, str]]]:
    """Every clip and still with its pair, and those without one."""
    looks = np.stack([
        look(read_image(real.file(row)), points)
        for row in track(range(len(real)), "poses") if (points := real.landmarks(row)) is not None
    ])  # fmt: skip
    clips = clips_of(real, looks)
    pairs, left_out = pair_clips(clips, seed)
    pair_of: dict[str, Pair] = {pair.target.name: pair for pair in pairs}
    rows_of: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for clip in clips:
        rows_of[clip.identity] += clip.rows
    tasks = []
    for clip in clips:
        pair = pair_of.get(clip.name)
        tasks.append(Task(clip, pair, (rows_of[clip.identity], rows_of[pair.source.identity] if pair else ())))
    return tasks, left_out


def _units(tasks: list[Task]) -> Iterator[tuple[str, list[Task]]]:
    """Named units of work: a clip each, or a few stills."""
    stills = [task for task in tasks if not task.clip.moving]
    moving = [task for task in tasks if task.clip.moving]
    for number, task in enumerate(moving):
        yield f"clip-{number:06d}", [task]
    for number, start in enumerate(range(0, len(stills), STILLS)):
        yield f"still-{number:06d}", stills[start : start + STILLS]


def _collect(folder: Path, left_out: list[tuple[Clip, str]]) -> Manifest:
    """Manifest, forgeries and skipped of all units, in their order; what only served the work goes."""
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
        shutil.rmtree(folder)  # there is nothing to go on with
        raise UserError(f"nothing could be forged: {reasons.index[0]}")
    manifest = Manifest(pd.DataFrame(found["manifest"]), folder)
    manifest.write(folder / "manifest.parquet")
    pd.DataFrame(found["forgeries"]).to_parquet(folder / RECORDS, index=False)
    skipped = pd.DataFrame(found["skipped"], columns=["target", "frame", "method", "reason"])
    skipped.to_csv(folder / "skipped.csv", index=False)
    shutil.rmtree(folder / "units")
    return manifest


def _print_summary(out: Path, crops: int, seconds: float, total: float) -> None:
    made = Manifest.read(out).table
    counts = ", ".join(f"{method} {number}" for method, number in made["method"].value_counts().items())
    console.print(f"{len(made)} crops ({counts}) in {out}/manifest.parquet")
    console.print(f"{crops} forged in {seconds:.0f} s: {crops / seconds:.1f} images/s; {total:.0f} s in all")
    skipped = pd.read_csv(out / "skipped.csv")
    for why, number in (skipped["method"] + ": " + skipped["reason"]).value_counts().items():
        console.print(f"skipped {number} times, {why}")
