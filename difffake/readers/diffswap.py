"""Reader of DiffSwap: faces that a diffusion model of this name swapped, and the photographs of DiffusionFace.

    DiffSwap/**/*.png     DiffSwap.tar of DiffusionFace (DiffFace), part 1, unpacked
    Real/**/*.jpg         Real.tar of the same

DiffusionFake does not say where its test set of this name is from; this is what its authors' group published. How
images lie inside the two archives is not documented, so that any depth is read, and their names tell nothing. Source:
README.md of github.com/Rapisurazurite/DiffFace.
"""

from pathlib import Path

from difffake.errors import UserError
from difffake.readers.item import REAL, Item, files_in, name_of
from difffake.readers.reader import Reader

METHOD = "DiffSwap"


def read_diffswap(root: Path) -> list[Item]:
    """The images below Real and DiffSwap, each a still of its own: who is in them is not known.

    Raises `UserError` if one of the two folders is not there or has no images.
    """
    items: list[Item] = []
    for label, (folder, method) in enumerate((("Real", REAL), ("DiffSwap", METHOD))):
        files = files_in(root / folder, "image") if (root / folder).is_dir() else []
        if not files:
            raise UserError(f"{root / folder} is missing or has no images: unpack {folder}.tar there")
        items += [Item(file, name_of(file, root), label, method) for file in files]
    return items


READER = Reader(
    read_diffswap,
    "DiffSwap/**/*.png, Real/**/*.jpg",
    "none of its own, and people unknown: --split 0 0 1 takes it whole as a test set",
    license_page="https://github.com/Rapisurazurite/DiffFace",
)
