"""The command `forge`: a testbed of forgeries from any manifest of real faces."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from difffake.commands.parse import AtLeast
from difffake.data.manifest import Manifest
from difffake.errors import UsageError
from difffake.files import refuse_existing
from difffake.forge.inputs import check_settings, real_faces
from difffake.forge.run import fingerprint, forge_faces
from difffake.forge.shortcuts import check_shortcuts
from difffake.forge.task import Settings
from difffake.progress import console

EXAMPLES = (
    "difffake forge --manifest data/lfw --methods faceswap reenact --out data/forged --check",
    "difffake forge --manifest data/clips --methods alpha_swap autoencoder --compression c23 c40 --out forged",
    "difffake forge --manifest data/lfw --methods diffusion_swap synthesis --diffusion models/lfw-faces "
    "--out data/forged-diffusion",
    "difffake forge --manifest data/dfdc --check",
)


def forge(
    manifest: Path,
    methods: Sequence[str] = (),
    out: Path | None = None,
    compression: Sequence[Literal["raw", "c23", "c40"]] = ("c23",),
    diffusion: str = "",
    size: Annotated[int, AtLeast(64)] = 224,
    split: Literal["train", "val", "test", "all"] = "all",
    check: bool = False,
    workers: Annotated[int, AtLeast(0)] = 0,
    copies: Annotated[int, AtLeast(1)] = 1,
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> int:
    """Forge real faces with several methods: a testbed with known source, target and mask, not a public benchmark.

    To continue an interrupted run, run the same command again. Without --methods and --out, --check checks a manifest
    that has fakes already.

    Args:
        manifest: real faces with landmarks, from difffake prepare. Fakes in it are left out; its splits are kept.
        methods: one or several of faceswap, alpha_swap, reenact, mouth_texture, autoencoder, diffusion_swap, synthesis.
        out: folder to write: manifest.parquet, crops/, masks/, forgeries.parquet, skipped.csv.
        compression: one or several of raw, c23 and c40 (H.264 with constant rate factor 23 or 40). Real and forged
            faces are compressed in the same way.
        diffusion: frozen diffusion model for diffusion_swap and synthesis: a folder from difffake pretrain-guide, a
            Hub name, or drawn-faces if the faces are drawn. It runs on the CPU.
        size: side of all crops in pixels; an even number.
        split: forge only the faces of this split; all forges every face.
        check: test whether trivial cues (file size, color, sharpness, border) separate real from fake, and fail if so.
        workers: number of processes; 0 is one per core.
        copies: number of forgeries of each face with each method, each with another source.
        seed: random seed of all forgeries.
        overwrite: replace an existing output folder, or what an interrupted run with other settings left.

    Returns:
        The exit status: 1 if --check found a cue.
    """
    if check and not methods and out is None:
        return check_shortcuts(Manifest.read(manifest), None, workers, seed)
    if not methods or out is None:
        raise UsageError(
            "give --methods and --out to forge, or neither with --check to check a manifest that has fakes"
        )
    settings = Settings(tuple(dict.fromkeys(methods)), tuple(dict.fromkeys(compression)), size, seed, diffusion, copies)
    check_settings(settings)
    real = real_faces(manifest, split)
    real.check_files()
    refuse_existing(out, overwrite, [real.root, *([diffusion] if diffusion else [])])
    note = fingerprint(manifest, split, settings)
    start = time.perf_counter()
    crops, seconds = forge_faces(real, settings, out, note, workers, overwrite)
    _print_summary(out, crops, seconds, time.perf_counter() - start)
    return check_shortcuts(Manifest.read(out), out, workers, seed) if check else 0


def _print_summary(out: Path, crops: int, seconds: float, total: float) -> None:
    made = Manifest.read(out).table
    counts = ", ".join(f"{method} {number}" for method, number in made["method"].value_counts().items())
    console.print(f"{len(made)} crops ({counts}) in {out}/manifest.parquet")
    console.print(f"{crops} forged in {seconds:.0f} s: {crops / seconds:.1f} images/s; {total:.0f} s in total")
    skipped = pd.read_csv(out / "skipped.csv")
    for why, number in (skipped["method"] + ": " + skipped["reason"]).value_counts().items():
        console.print(f"skipped {number} times: {why}")
