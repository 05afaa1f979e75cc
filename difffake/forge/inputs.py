"""What the command `forge` is given, checked before any work."""

from pathlib import Path

from difffake.data.keys import FORGED, check_splits, original
from difffake.data.manifest import Manifest
from difffake.errors import UsageError, UserError
from difffake.forge.methods import METHODS
from difffake.forge.task import Settings
from difffake.forge.tools.compression import CRF
from difffake.progress import console


def check_settings(settings: Settings) -> None:
    """Raise `UserError` for unknown names, a size that H.264 cannot code, and a diffusion model missing or unused."""
    if not settings.methods:
        raise UserError(f"--methods names none: choose from {', '.join(METHODS)}")
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
            f"{', '.join(needing)}: give --diffusion a model: a folder that `difffake pretrain-guide --manifest M "
            "--out DIR` made of the same real faces, or drawn-faces for drawn ones"
        )
    if settings.diffusion and not needing:
        raise UserError(f"--diffusion serves only {' and '.join(drawing)}: add one to --methods, or leave it out")


def real_faces(path: Path, split: str = "all") -> Manifest:
    """The real faces of a manifest's split, with landmarks.

    Raises `UserError` if there are none, or splits share people.
    """
    everything = Manifest.read(path)
    check_splits(everything.table)
    whole = everything.select(split=split)
    if not len(whole):
        raise UserError(
            f"{path} has no split {split}: choose from {', '.join(everything.table['split'].unique())}, all"
        )
    table = whole.table[(whole.table["label"] == 0) & whole.table["landmarks"].notna()]
    if not len(table):
        raise UserError(f"{path} has no real faces with landmarks: make it with `difffake prepare`")
    if table["dataset"].nunique() > 1:
        raise UserError(f"{path} holds several data sets ({', '.join(table['dataset'].unique())}): forge each alone")
    if table["compression"].nunique() > 1:
        raise UserError(f"{path} holds the same faces in several compressions: forge one, compression is added here")
    if table["dataset"].iloc[0].startswith(FORGED):
        raise UserError(f"{path} was made by `difffake forge`: forge the manifest of real faces that it was made from")
    names = original(table)
    outside = names[names.map(lambda name: ".." in Path(name).parts or Path(name).is_absolute())]
    if len(outside):
        raise UserError(f"{path} names a face {outside.iloc[0]}, which leads out of --out: mend its video or target")
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
