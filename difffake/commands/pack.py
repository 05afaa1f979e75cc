"""The command `pack`: crops of manifests in one file each, which loaders read faster."""

from pathlib import Path
from typing import Annotated

from difffake.commands.parse import AtLeast
from difffake.data.manifest import Manifest
from difffake.data.packed import FILE, pack_crops
from difffake.errors import UserError
from difffake.progress import console

EXAMPLES = ("difffake pack data/ffpp data/celeb-df",)


def pack(manifest: list[Path], /, workers: Annotated[int, AtLeast(0)] = 0, overwrite: bool = False) -> None:
    """Copy all crops of a manifest into one file beside it, without loss; training and evaluation then read that file.

    Args:
        manifest: manifests whose crops are packed.
        workers: number of processes; 0 is one per core.
        overwrite: replace an existing pack. Pack again after crops have changed.
    """
    found = [Manifest.read(path) for path in manifest]
    for each in found:
        each.check_files()
        if (each.root / FILE).exists() and not overwrite:
            raise UserError(f"{each.root / FILE} exists already: add --overwrite to pack again")
    for each in found:
        size = pack_crops(each, workers, overwrite)
        console.print(f"{len(each)} crops in {each.root / FILE}, {size / 1e6:.0f} MB")
