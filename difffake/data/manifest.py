"""The manifest: a table with one row per face crop, which all stages read and write."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from difffake.data.keys import original
from difffake.errors import UsageError, UserError
from difffake.files import staged_file
from difffake.readers.item import SPLITS

TEXT_COLUMNS = (
    "path",  # path of the crop, relative to the manifest's folder, with forward slashes
    "dataset",
    "split",  # train, val or test
    "method",  # the manipulation; "real" for real faces
    "video",  # "" for a still image
    "identity",  # "" if unknown
    "source",  # video or still that the inserted face came from, "" if unknown
    "target",  # video or still that the background came from: the real original of a fake
    "compression",  # such as c23, "" if unknown
)
INTEGER_COLUMNS = ("label", "frame", "track")  # label: 0 real, 1 fake; frame: number in the video, 0 for a still;
# track: number of the person in the video or still, from 0
FLOAT_COLUMNS = ("margin",)  # side of the crop as a multiple of the side of the face's box, NaN if unknown
LIST_COLUMNS = ("box", "landmarks")  # box: x0 y0 x1 y1 of the crop in the original image, in pixels;
# landmarks: 68 points (x0 y0 x1 y1 ...) in pixels of the crop; both NA if unknown
_LISTS = pd.ArrowDtype(pa.list_(pa.float32()))
OPTIONAL_COLUMNS = ("role",)  # text; role: reference for a trusted image of its person, see `difffake evaluate --pairs`
COLUMNS = TEXT_COLUMNS + INTEGER_COLUMNS + FLOAT_COLUMNS + LIST_COLUMNS


@dataclass(frozen=True)
class Manifest:
    """Face crops of one or more data sets.

    `table` has the columns `COLUMNS`, and possibly `OPTIONAL_COLUMNS`. Paths of crops are relative to the folder
    `root`.
    """

    table: pd.DataFrame
    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", _checked(self.table, self.root))

    def __len__(self) -> int:
        return len(self.table)

    @staticmethod
    def read(path: Path) -> "Manifest":
        """Read a manifest from Parquet or CSV (by suffix); for a folder, read manifest.parquet in it.

        Raises `UserError` if the file is missing, has another format, or lacks columns.
        """
        path = existing_manifest(Path(path))
        try:
            if path.suffix == ".csv":
                table = pd.read_csv(
                    path, dtype=dict.fromkeys((*TEXT_COLUMNS, *OPTIONAL_COLUMNS), str), keep_default_na=False
                )
                for column in LIST_COLUMNS:
                    if column in table:
                        table[column] = [json.loads(cell) if cell else None for cell in table[column]]
            else:
                table = parquet.read_table(path).to_pandas(types_mapper=_list_type, ignore_metadata=True)
        except (ValueError, OSError) as error:
            raise UserError(f"{path} cannot be read as a manifest: {_one_line(error)}") from error
        return Manifest(table, path.parent)

    @staticmethod
    def concat(manifests: Sequence["Manifest"]) -> "Manifest":
        """Join several manifests. The paths are absolute, so the result is for use in memory only."""
        if len(manifests) == 1:
            return manifests[0]
        tables = []
        for manifest in manifests:
            root, table = manifest.root.resolve(), manifest.table
            # A still without video and target is named by its path in its own manifest.
            lone = (table["video"] == "") & (table["target"] == "")
            table = table.assign(target=table["target"].where(~lone, original(table)))
            tables.append(table.assign(path=[(root / path).as_posix() for path in table["path"]]))
        return Manifest(pd.concat(tables, ignore_index=True), Path())

    def write(self, path: Path) -> None:
        """Write to Parquet or CSV (by suffix); the file appears only when it is complete."""
        with staged_file(path) as partial:
            if path.suffix == ".csv":
                table = self.table.copy()
                for column in LIST_COLUMNS:
                    table[column] = [json.dumps(cell) if isinstance(cell, list) else "" for cell in table[column]]
                table.to_csv(partial, index=False)
            else:
                found = pa.Table.from_pandas(self.table, preserve_index=False)
                # Without pandas' notes on types: pandas itself cannot read back what it notes of lists.
                parquet.write_table(found.replace_schema_metadata(None), partial)

    def select(self, *, split: str | None = None, label: int | None = None) -> "Manifest":
        """The rows of a split and a label; None, or the split "all", selects every row."""
        keep = np.ones(len(self.table), dtype=bool)
        if split not in (None, "all"):
            keep &= (self.table["split"] == split).to_numpy()
        if label is not None:
            keep &= (self.table["label"] == label).to_numpy()
        return self.where(keep)

    def where(self, keep: np.ndarray) -> "Manifest":
        """The rows for which `keep` (N,) is true."""
        part = object.__new__(Manifest)  # what has been checked already is not checked again
        object.__setattr__(part, "table", self.table[keep].reset_index(drop=True))
        object.__setattr__(part, "root", self.root)
        return part

    @property
    def margin(self) -> float | None:
        """The margin of all crops; None if it is unknown or differs between crops."""
        values = self.table["margin"].unique()
        return float(values[0]) if len(values) == 1 and np.isfinite(values[0]) else None

    def file(self, index: int) -> Path:
        """Path of the crop of one row."""
        return self.root / str(self.table["path"].iat[index])

    def check_files(self, splits: Sequence[str] = SPLITS) -> None:
        """Raise `UserError` if crops of these splits are missing. It is quick, because each folder is listed once."""
        rows = self.table[self.table["split"].isin(splits)]
        there: dict[str, set[str]] = {}
        missing = []
        for path in rows["path"]:
            folder, _, name = str(path).rpartition("/")
            if folder not in there:
                place = self.root / folder
                there[folder] = {file.name for file in os.scandir(place)} if place.is_dir() else set()
            if name not in there[folder]:
                missing.append(self.root / str(path))
        if missing:
            raise UserError(
                f"{len(missing)} of {len(rows)} crops are missing, such as {missing[0]}: prepare the data again"
            )

    def landmarks(self, index: int) -> np.ndarray | None:
        """Landmarks (68, 2) float32 of one row in pixels of the crop; None if unknown."""
        value = self.table["landmarks"].iat[index]
        return np.asarray(value, dtype=np.float32).reshape(68, 2) if isinstance(value, list) else None


def read_manifests(paths: Sequence[Path]) -> list[Manifest]:
    """Read several manifests. Raises `UserError` if a path occurs twice, or as in `Manifest.read`."""
    files = [manifest_file(Path(path)).resolve() for path in paths]
    for number, file in enumerate(files):
        if file in files[:number]:
            raise UserError(f"{paths[number]} is named twice: name it once")
    return [Manifest.read(path) for path in paths]


def manifest_file(path: Path) -> Path:
    """The file of a manifest, from the path of the file or of its folder."""
    return path / "manifest.parquet" if path.is_dir() else path


def existing_manifest(path: Path) -> Path:
    """As `manifest_file`. Raises `UserError` if the file does not exist."""
    path = manifest_file(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: make a manifest with `difffake prepare`")
    return path


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise `UserError` if `fractions` are not three shares (train, val, test) that sum to 1."""
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        shares = " ".join(map(str, fractions))
        raise UsageError(f"--split {shares} must be three shares (train, val and test) that sum to 1")


def split_by_group(groups: Sequence[str], fractions: Sequence[float], seed: int) -> np.ndarray:
    """Choose splits so that all rows of a group are in the same split.

    Groups are ordered by a hash of seed and name, so the result does not depend on the order of rows.

    Args:
        groups: group (N,) of each row.
        fractions: shares of groups for train, val and test, which sum to 1.
        seed: random seed.

    Returns:
        Name (N,) of each row's split.
    """
    check_fractions(fractions)
    names = np.asarray(groups, dtype=str)
    unique = sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    ends = np.round(np.cumsum(fractions) * len(unique)).astype(int)
    split_of = {name: SPLITS[int(np.searchsorted(ends, i, side="right"))] for i, name in enumerate(unique)}
    return np.array([split_of[name] for name in names], dtype=object)


def _checked(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    missing = [column for column in COLUMNS if column not in table and column not in (*FLOAT_COLUMNS, "track")]
    if missing:
        raise UserError(f"the manifest in {root} lacks the column(s) {', '.join(missing)}")
    optional = [column for column in OPTIONAL_COLUMNS if column in table]
    track = table["track"].replace("", 0).fillna(0) if "track" in table else 0
    table = table.assign(track=track).reindex(columns=[*COLUMNS, *optional]).reset_index(drop=True)
    for column in (*TEXT_COLUMNS, *optional):
        # Rows with equal texts share one, since millions of rows name some thousand videos.
        codes, texts = pd.factorize(table[column].fillna(""))
        table[column] = np.asarray([str(text) for text in texts], dtype=object)[codes]
    for column in INTEGER_COLUMNS:
        try:
            table[column] = table[column].astype(np.int64)
        except (ValueError, TypeError) as error:
            raise UserError(f"the manifest in {root} needs whole numbers in the column {column}: {error}") from error
    for column in FLOAT_COLUMNS:
        try:
            table[column] = pd.to_numeric(table[column].replace("", np.nan)).astype(np.float64)
        except (ValueError, TypeError) as error:
            raise UserError(f"the manifest in {root} needs numbers in the column {column}: {error}") from error
    for column in LIST_COLUMNS:
        table[column] = _as_lists(table[column])
    if not table["label"].isin((0, 1)).all():
        raise UserError(f"the manifest in {root} has labels other than 0 (real) and 1 (fake)")
    if unknown := sorted(set(table["split"]) - set(SPLITS)):
        raise UserError(f"the manifest in {root} has a split {unknown[0]!r}: give each row one of {', '.join(SPLITS)}")
    if (row := _bad_landmarks(table["landmarks"])) is not None:
        path = table["path"].iat[row]
        raise UserError(f"the manifest in {root} has landmarks of {path} that are not 136 finite numbers")
    if table["path"].duplicated().any():
        twice = table["path"][table["path"].duplicated()].iloc[0]
        raise UserError(f"the manifest in {root} lists {twice} twice")
    return table


def _list_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    """Lists stay as Arrow has them: as Python objects, those of two million rows would take several gigabytes."""
    return pd.ArrowDtype(kind) if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None


def _as_lists(column: pd.Series) -> pd.Series:
    """A column of lists of float32 or nothing, whatever the file format made of it."""
    if isinstance(column.dtype, pd.ArrowDtype):
        return column if column.dtype == _LISTS else column.astype(_LISTS)
    cells = [None if cell is None or np.ndim(cell) == 0 else np.asarray(cell, np.float32) for cell in column]
    return pd.Series(pa.array(cells, _LISTS.pyarrow_dtype), dtype=_LISTS, index=column.index)


def _bad_landmarks(column: pd.Series) -> int | None:
    """The first row whose landmarks are there but not 136 finite numbers."""
    found = pa.array(column.array)
    start = 0
    for lists in found.chunks if isinstance(found, pa.ChunkedArray) else [found]:
        there = np.flatnonzero(lists.is_valid().to_numpy(zero_copy_only=False))
        sizes = compute.list_value_length(lists).drop_null().to_numpy(zero_copy_only=False)
        if (sizes != 136).any():
            return start + int(there[np.argmax(sizes != 136)])
        finite = np.isfinite(lists.flatten().to_numpy(zero_copy_only=False)).reshape(-1, 136).all(axis=1)
        if not finite.all():
            return start + int(there[np.argmin(finite)])
        start += len(lists)
    return None


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
