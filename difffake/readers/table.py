"""Reader of a CSV table with files and labels."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from difffake.errors import UserError
from difffake.faces.listing import MEDIA_SUFFIXES
from difffake.files import absent
from difffake.progress import console
from difffake.readers.class_names import class_of, classes_below
from difffake.readers.frames import last_number
from difffake.readers.item import REAL, SPLIT_NAMES, SPLITS, Item, some
from difffake.readers.reader import Reader
from difffake.readers.user_table import read_texts


def read_table(root: Path, table: str = "manifest.csv") -> list[Item]:
    """Read the CSV `root/table` with one row per file (image or video).

    Columns `file` (relative to `root`, or to its folder `images` or `videos`) and `label` (real, fake, 0 or 1);
    optional `method`, `split`, `identity`, `video`, `source`, `target`, `compression`, and `original`, the real
    file of a fake, which is its target. Sources and targets may be named with or without suffix; a real file
    without a target is its own, so that its fakes find it. A split is train, val or test in any case, or training,
    validation (valid) or testing; the column is filled for every file or for none. For images that are frames of a
    video, `frame` is their number in it; without that column it is the last number in the file's name. `role`
    (reference or probe), or `reference` (true or false), says which real images of a person are trusted, for
    `difffake evaluate --pairs reference`. Other columns are ignored.

    The columns may be parted by commas, semicolons or tabs, their names be in any case, and the file in UTF-8 or
    UTF-16. A label that its row's folder or method contradicts is kept, and printed.
    """
    path = root / table
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: the reader `table` needs a CSV with the columns file and label")
    rows = read_texts(path, {"file", "label"})
    if "original" in rows and "target" not in rows:
        rows = rows.rename(columns={"original": "target"})
    known = [c for c in ("method", "split", "identity", "video", "source", "target", "compression") if c in rows]
    folder = _folder_of(root, rows["file"])
    items: list[Item] = []
    for number, row in enumerate(rows.to_dict("records"), start=2):
        where = f"{path}, line {number}"
        label = {"real": 0, "0": 0, "fake": 1, "1": 1}.get(row["label"].lower())
        if label is None:
            raise UserError(f"{where}: label {row['label']!r} is unknown: use real, fake, 0 or 1")
        if ".." in Path(row["file"]).parts or Path(row["file"]).is_absolute():
            raise UserError(f"{where}: {row['file']} is outside of {root}: use files below it")
        item = Item(
            folder / row["file"], Path(row["file"]).with_suffix("").as_posix(), label, "fake" if label else REAL
        )
        fields = {column: row[column] for column in known if row[column] != ""}
        if split := fields.get("split"):
            if split.lower() not in SPLIT_NAMES:
                raise UserError(f"{where}: split {split!r} is unknown: use {', '.join(SPLITS)}")
            fields["split"] = SPLIT_NAMES[split.lower()]
        if items and bool(items[0].split) != bool(split):
            raise UserError(f"{where}: fill the column split for every file, or leave it out")
        if item.is_video:
            fields.setdefault("video", item.name)
        for column in {"source", "target"} & fields.keys():
            fields[column] = _without_suffix(fields[column])
        if not label:
            fields["method"] = REAL
            if "target" in known:
                fields.setdefault("target", fields.get("video", item.name))
        frame = _frame(row, where)
        if frame is None:
            frame = last_number(item.file) or 0 if "video" in fields and not item.is_video else 0
        item = replace(item, frame=frame, role=_role(row, label, where))
        items.append(replace(item, **fields))
    _report_contradictions(rows, items, path)
    _report_same_frames(items, path)
    return some(items, path, "no rows")


def _report_contradictions(rows: pd.DataFrame, items: list[Item], path: Path) -> None:
    """Print how many labels are not what their row's folders or method say: some lists have 1 for real."""
    folders = [file.rpartition("/")[0] for file in rows["file"]]
    classes = classes_below(Path("/"), [Path("/", folder, "file") for folder in set(folders)])
    named = {f: {classes[up]: up.name for up in Path("/", f, "file").parents if up in classes} for f in set(folders)}
    methods = rows["method"].tolist() if "method" in rows else [""] * len(items)
    named_methods = {m: {} if (kind := class_of(m)) is None else {kind: m} for m in set(methods)}
    wrong = []
    for number, (item, folder, method) in enumerate(zip(items, folders, methods, strict=True), start=2):
        if other := (named[folder] | named_methods[method]).get(1 - item.label):
            wrong.append(f"line {number} is {'fake' if item.label else 'real'}, but {other} says otherwise")
    if wrong:
        console.print(
            f"{path}: {len(wrong)} of {len(items)} labels contradict a folder or method, such as {wrong[0]}: in the "
            "column label 0 is real and 1 is fake"
        )


def _report_same_frames(items: list[Item], path: Path) -> None:
    """Print how many images are the same frame of the same video, as they cannot be told apart as partners."""
    frames = Counter((i.video, i.method, i.compression, i.frame) for i in items if i.video and not i.is_video)
    if same := [key for key, times in frames.items() if times > 1]:
        console.print(
            f"{path}: {len(same)} frames of videos are there more than once, such as {same[0][0]} frame {same[0][3]}: "
            "number them in a column frame"
        )


def _frame(row: dict[Hashable, str], where: str) -> int | None:
    """Number of a row's frame, None where the table has none."""
    text = row.get("frame", "")
    if text and not (text.isascii() and text.isdigit()):
        raise UserError(f"{where}: frame {text!r} must be a whole number of at least 0")
    return int(text) if text else None


def _role(row: dict[Hashable, str], label: int, where: str) -> str:
    """reference, or empty, from the column role or reference."""
    column = "role" if "role" in row else "reference"
    text = row.get(column, "").lower()
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
    return root  # every file is missing; each is then reported by its name


READER = Reader(
    read_table,
    "manifest.csv with the columns file, label and maybe more; images or videos",
    "the column split where there is one, else --split",
)
