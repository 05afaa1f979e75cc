"""Reader of a CSV table with files and labels."""

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from difffake.errors import UserError
from difffake.faces.listing import MEDIA_SUFFIXES
from difffake.readers.item import REAL, SPLITS, Item, some

_SPLITS = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}
"""Names of splits in tables, in lower case, and the names in manifests."""


def read_table(root: Path, table: str = "manifest.csv") -> list[Item]:
    """Read the CSV `root/table` with one row per file (image or video).

    Required columns:

    - `file`: path relative to `root`, or to its folder `images` or `videos`;
    - `label`: real, fake, 0 or 1.

    Optional columns:

    - `method`, `identity`, `video`, `compression`;
    - `source`, `target`: names of files, with or without suffix. A real file without a target is its own target;
    - `original`: the real file of a fake; another name of `target`;
    - `split`: train, val or test, in upper or lower case, or training, validation (valid) or testing; filled for every
      file or for none;
    - `frame`: number of an image in its video;
    - `role` (reference or probe) or `reference` (true or false): which real images of a person are trusted, for
      `difffake evaluate --pairs reference`.

    Other columns are ignored. Raises `UserError` if the table is missing or a row is wrong.
    """
    path = root / table
    if not path.is_file():
        raise UserError(f"{path} does not exist: the reader `table` needs a CSV with the columns file and label")
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from error
    missing = {"file", "label"} - set(rows.columns)
    if missing:
        raise UserError(f"{path} lacks the column(s) {', '.join(sorted(missing))}")
    if "original" in rows and "target" not in rows:
        rows = rows.rename(columns={"original": "target"})
    known = [c for c in ("method", "split", "identity", "video", "source", "target", "compression") if c in rows]
    folder = _folder_of(root, rows["file"])
    items: list[Item] = []
    for number, row in enumerate(rows.to_dict("records"), start=2):
        label = {"real": 0, "0": 0, "fake": 1, "1": 1}.get(str(row["label"]).strip().lower())
        if label is None:
            raise UserError(f"{path}, line {number}: label {row['label']!r} is unknown: use real, fake, 0 or 1")
        file = folder / str(row["file"])
        if ".." in Path(str(row["file"])).parts or Path(str(row["file"])).is_absolute():
            raise UserError(f"{path}, line {number}: {row['file']} is outside of {root}: use files below it")
        item = Item(file, Path(str(row["file"])).with_suffix("").as_posix(), label, "fake" if label else REAL)
        fields = {column: str(row[column]) for column in known if row[column] != ""}
        if split := fields.get("split"):
            if split.strip().lower() not in _SPLITS:
                raise UserError(f"{path}, line {number}: split {split!r} is unknown: use {', '.join(SPLITS)}")
            fields["split"] = _SPLITS[split.strip().lower()]
        if items and bool(items[0].split) != bool(split):
            raise UserError(f"{path}, line {number}: fill the column split for every file, or leave it out")
        if item.is_video:
            fields.setdefault("video", item.name)
        for column in {"source", "target"} & fields.keys():
            fields[column] = _without_suffix(fields[column])
        where = f"{path}, line {number}"
        if not label:
            fields["method"] = REAL
            if "target" in known:
                fields.setdefault("target", fields.get("video", item.name))
        item = replace(item, frame=_frame(row, where), role=_role(row, label, where))
        items.append(replace(item, **fields))  # type: ignore[arg-type]  # every field in `known` is a str
    return some(items, path, "no rows")


def _frame(row: dict[Hashable, str], where: str) -> int:
    """Frame number of a row; 0 if the table has none."""
    text = row.get("frame", "").strip()
    if text and not (text.isascii() and text.isdigit()):
        raise UserError(f"{where}: frame {text!r} must be a whole number of at least 0")
    return int(text or 0)


def _role(row: dict[Hashable, str], label: int, where: str) -> str:
    """reference, or empty, from the column role or reference."""
    column = "role" if "role" in row else "reference"
    text = row.get(column, "").strip().lower()
    roles = {"": "", "probe": "", "false": "", "no": "", "0": "", "reference": "reference"}
    roles |= dict.fromkeys(("true", "yes", "1"), "reference")
    if text not in roles:
        raise UserError(f"{where}: {column} {text!r} is unknown: use reference, probe, true or false")
    if roles[text] and label:
        raise UserError(f"{where}: a fake cannot be a reference")
    return roles[text]


def _without_suffix(name: str) -> str:
    """A file's name as in `Item.name`; only suffixes of images and videos are removed, because names may have dots."""
    path = Path(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in MEDIA_SUFFIXES else name


def _folder_of(root: Path, files: pd.Series) -> Path:
    """The folder that the table's file names are relative to: the first folder in which any of the files exists."""
    for folder in (root, root / "images", root / "videos"):
        if any((folder / name).exists() for name in files):
            return folder
    return root  # every file is missing; each is reported later
