"""What a file in readers/ says of its data set, and all of them by name."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from difffake import readers
from difffake.readers.item import Item


@dataclass(frozen=True)
class Reader:
    """A way from the published layout of a data set to a list of its files.

    Its file is all that a reader is: `READER = Reader(...)` in a module of difffake/readers/ is found by the command
    `prepare`, whose name for it is the module's, with - for _.
    """

    read: Callable[[Path], list[Item]]
    """Gives the files below a folder. It raises `UserError` if the folder has another layout or lacks a list."""
    layout: str
    """Which folders and files are expected below --root, such as `identity/image.jpg`, in one line."""
    splits: str = "none of its own: --split"
    """What is split how, in one line."""
    license_page: str = ""
    """Web page on which the data set is asked for; empty for layouts of one's own."""
    missing: Callable[[Path, Sequence[Item]], str] | None = None
    """Gives one line that says what the data set's lists name and is not among the chosen files; "" if nothing is."""
    reads_file: bool = False
    """Whether the root may be one file instead of a folder."""
    real_only: bool = False
    """Whether everything that it reads is real."""

    def near(self, root: Path) -> Path | None:
        """The folder above or directly below `root` that has what `layout` expects, where `root` has nothing of it."""
        names = re.findall(r"(?:^|, |\band |\bor )([^\s/*,]+)", self.layout)

        def has(folder: Path) -> bool:
            return any((folder / name).exists() for name in names)

        if has(root):
            return None
        root = root.absolute()
        below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        return next((folder for folder in (*list(root.parents)[:3], *below) if has(folder)), None)


def find_readers() -> dict[str, Reader]:
    """All readers by name, in alphabetical order."""
    names = sorted(module.name for module in iter_modules(readers.__path__))
    modules = {name.replace("_", "-"): import_module(f"{readers.__name__}.{name}") for name in names}
    return {name: module.READER for name, module in modules.items() if hasattr(module, "READER")}
