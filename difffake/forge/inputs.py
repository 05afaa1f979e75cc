"""Checks of the inputs of `difffake forge` before any work."""

from pathlib import Path

from difffake.data.keys import FORGED, check_splits, original
from difffake.data.manifest import Manifest
from difffake.errors import UsageError, UserError
from difffake.forge.methods import METHODS
from difffake.forge.task import Settings
from difffake.forge.tools.compression import CRF
from difffake.progress import console


def check_settings(settings: Settings) -> None:
    """Raise `UserError` if a name is unknown, the size is odd, or a diffusion model is missing or not used."""
    if not settings.methods:
        raise UserError(f"--methods is empty: choose from {', '.join(METHODS)}")
    for option, given, known in (
        ("--methods", settings.methods, tuple(METHODS)), ("--compression", settings.compressions, tuple(CRF)),
    ):  # fmt: skip
        if unknown := [name for name in given if name not in known]:
            raise UsageError(f"{option} {' '.join(unknown)} is unknown: choose one or several of {' '.join(known)}")
    if settings.size % 2:
        raise UsageError(f"--size {settings.size} must be an even number, for H.264")
    drawing = [name for name, method in METHODS.items() if method.diffusion]
    needing = [name for name in settings.methods if name in drawing]
    if needing and not settings.diffusion:
        raise UserError(
            f"{', '.join(needing)}: give a model as --diffusion: a folder from `difffake pretrain-guide --manifest M "
            "--out DIR` with the same real faces, or drawn-faces if the faces are drawn"
        )
    if settings.diffusion and not needing:
        raise UserError(
            f"--diffusion is only for {' and '.join(drawing)}: add one of these to --methods, or leave it out"
        )


def real_faces(path: Path, split: str = "all") -> Manifest:
    """Read the real faces with landmarks of a manifest's split.

    Raises `UserError` if there are none, or splits share people.
    """
    everything = Manifest.read(path)
    check_splits(everything.table)
    whole = everything.select(split=split)
    if not len(whole):
        raise UserError(
            f"{path} has no split {split}: choose from {', '.join(everything.table['split'].unique())}, all"
        )
    usable = (whole.table["label"] == 0) & whole.table["landmarks"].notna()
    others = usable & (whole.table["track"] > 0)
    if others.any():
        console.print(f"{path}: {int(others.sum())} faces of other people in videos are left out: one person is forged")
    table = whole.table[usable & ~others]
    if not len(table):
        raise UserError(f"{path} has no real faces with landmarks: make it with `difffake prepare`")
    if table["dataset"].nunique() > 1:
        raise UserError(
            f"{path} has several data sets ({', '.join(table['dataset'].unique())}): forge each of them separately"
        )
    if table["compression"].nunique() > 1:
        raise UserError(
            f"{path} has the same faces in several compressions: forge one of them; use --compression to add others"
        )
    if table["dataset"].iloc[0].startswith(FORGED):
        raise UserError(f"{path} was made by `difffake forge`: forge the manifest of real faces that it was made from")
    names = original(table)
    outside = names[names.map(lambda name: ".." in Path(name).parts or Path(name).is_absolute())]
    if len(outside):
        raise UserError(
            f"{path} has a face {outside.iloc[0]}, whose path leads out of --out: correct its video or target"
        )
    twice = table[table.assign(name=names).duplicated(["name", "frame"]) & (table["video"] != "")]
    if len(twice):
        raise UserError(f"{path} has frame {twice['frame'].iloc[0]} of {twice['video'].iloc[0]} twice: remove one")
    stills = names[table["video"] == ""]
    if stills.duplicated().any():
        twice = stills[stills.duplicated()].iloc[0]
        raise UserError(
            f"{path} has several stills with the target {twice}: leave the column target of real faces empty"
        )
    if left := len(whole) - len(table):
        console.print(f"{left} rows are fakes or without landmarks and are left out")
    return Manifest(table, whole.root)
