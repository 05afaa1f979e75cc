"""Imports run downwards through the rooms of the package, and matplotlib is where pictures are made."""

import ast
from collections.abc import Iterator
from pathlib import Path

import difffake

PACKAGE = Path(difffake.__file__).parent
ROOMS = (
    "drawn", "faces", "readers", "data", "models", "diffusion", "forge", "anomaly", "regularizers", "training",
    "evaluation", "sweeps", "predict", "serve", "commands",
)  # fmt: skip
"""From the lowest to the highest; a module at the top of the package may be imported by all."""
DOORS = ("__init__.py", "__main__.py")
"""Of the package itself: they lead to the highest rooms, and import them when they are used."""


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(parts: tuple[str, ...]) -> int:
    """Place of a module's room; -1 for a module at the top of the package."""
    return ROOMS.index(parts[0]) if len(parts) > 1 or parts[0] in ROOMS else -1


def test_every_folder_is_a_room() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ROOMS)


def test_imports_run_downwards() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts
        for name in imports(path):
            parts = tuple(name.split(".")[1:])
            if name.startswith("difffake.") and own[0] not in DOORS and room(parts) > room(own):
                wrong.append(f"{'/'.join(own)} imports {name}")
    assert not wrong


def test_matplotlib_is_where_pictures_are_made() -> None:
    """Loading a detector or training one must not load it."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "matplotlib" for name in imports(path))
    }
    allowed = {"plots.py", "regularizers/guide/figures.py", "regularizers/guide/reconstruction_figure.py"}
    assert {user for user in users if not user.startswith("evaluation/")} <= allowed | {
        "regularizers/noise_learning/pictures.py"
    }
