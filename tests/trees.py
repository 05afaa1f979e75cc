"""Small trees of files in the layout of a data set."""

from pathlib import Path


def grow(root: Path, *names: str) -> Path:
    """`root` itself, with empty files of these names below it."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root
