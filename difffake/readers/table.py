"""Reader of a CSV table that names files and labels."""

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from difffake.errors import UserError
from difffake.faces.listing import MEDIA_SUFFIXES
from difffake.readers.item import REAL, SPLITS, Item, some
from difffake.readers.reader import Reader

_SPLITS = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}
"""Names of splits that tables use, in lower case, and ours."""


def read_table(root: Path, table: str = "manifest.csv") -> list[Item]:
    """A CSV at `root/table` with a row a file: images or videos.

    Columns `file` (relative to `root`, or to its folder `images` or `videos`) and `label` (real, fake, 0 or 1);
    optional `method`, `split`, `identity`, `video`, `source`, `target`, `compression`, and `original`, the real
    file of a fake, which is its target. Sources and targets may be named with or without suffix; a real file
    without a target is its own, so that its fakes find it. A split is train, val or test in any case, or training,
    validation (valid) or testing; the column is filled for every file or for none. For images that are frames of a
    video, `frame` is their number in it. `role` (reference or probe), or `reference` (true or false), says which real
    images of a person are trusted, for `difffake evaluate --pairs reference`. Other columns are ignored.
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
            raise UserError(f"{path}, line {number}: label {row['label']!r} is none of real, fake, 0, 1")
        file = folder / str(row["file"])
        if ".." in Path(str(row["file"])).parts or Path(str(row["file"])).is_absolute():
            raise UserError(f"{path}, line {number}: {row['file']} lies outside of {root}: name files below it")
        item = Item(file, Path(str(row["file"])).with_suffix("").as_posix(), label, "fake" if label else REAL)
        fields = {column: str(row[column]) for column in known if row[column] != ""}
        if split := fields.get("split"):
            if split.strip().lower() not in _SPLITS:
                raise UserError(f"{path}, line {number}: split {split!r} is none of {', '.join(SPLITS)}")
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
    """Number of a row's frame, 0 where the table has none."""
    text = row.get("frame", "").strip()
    if text and not (text.isascii() and text.isdigit()):
        raise UserError(f"{where}: frame {text!r} is no whole number from 0 on")
    return int(text or 0)


def _role(row: dict[Hashable, str], label: int, where: str) -> str:
    """reference, or empty, from the column role or reference."""
    column = "role" if "role" in row else "reference"
    text = row.get(column, "").strip().lower()
    roles = {"": "", "probe": "", "false": "", "no": "", "0": "", "reference": "reference"}
    roles |= dict.fromkeys(("true", "yes", "1"), "reference")
    if text not in roles:
        raise UserError(f"{where}: {column} {text!r} is none of reference, probe, true, false")
    if roles[text] and label:
        raise UserError(f"{where}: a fake cannot be a reference")
    return roles[text]


def _without_suffix(name: str) -> str:
    """A file's name as `Item.name` has it; only suffixes of images and videos go, as names may hold dots."""
    path = Path(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in MEDIA_SUFFIXES else name


def _folder_of(root: Path, files: pd.Series) -> Path:
    """The folder that the table's file names are relative to: the first that holds any of them."""
    for folder in (root, root / "images", root / "videos"):
        if any((folder / name).exists() for name in files):
            return folder
    return root  # every file is missing; each is then reported by its name


READER = Reader(
    read_table,
    "manifest.csv with the columns file, label and maybe more; images or videos",
    "the column split where there is one, else --split",
)
