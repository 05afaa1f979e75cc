"""Files without any crop in a manifest, according to skipped.csv of `difffake prepare`."""

from typing import NamedTuple

import pandas as pd

from difffake.data.choice import Choice, kept_rows
from difffake.data.manifest import Manifest
from difffake.errors import UserError

SKIPPED = "skipped.csv"
"""A file beside the manifest, with one row per frame or file that was left out, or kept with a remark."""
COLUMNS = ["file", "name", "split", "method", "compression", "frame", "kept", "reason"]
"""name: name of the file as in its crops' paths; kept: whether there is a crop in spite of the remark."""


def crop_path(name: str, frame: int | None, person: int = 0) -> str:
    """Where the crop of a file's n-th person lies below the manifest's folder; `frame` is None for a still.

    >>> crop_path("ann/1", None), crop_path("clip", 12), crop_path("clip", 12, person=1)
    ('crops/ann/1.png', 'crops/clip/000012.png', 'crops/clip/track1/000012.png')
    """
    parts = [name, *([f"track{person}"] if person else []), *([] if frame is None else [f"{frame:06d}"])]
    return f"crops/{'/'.join(parts)}.png"


class Coverage(NamedTuple):
    """Files with and without crops in a manifest."""

    scored: int
    """Number of videos and stills with at least one crop."""
    lost: list[str]
    """Names of files without any crop."""

    def __str__(self) -> str:
        """The coverage as a text."""
        shown = ", ".join(self.lost[:3]) + (" ..." if len(self.lost) > 3 else "")
        return f"{self.scored} of {self.scored + len(self.lost)} files scored; without any crop: {shown}"


def coverage(whole: Manifest, split: str, choice: Choice | None = None) -> Coverage | None:
    """What is in a split of a manifest, of what is chosen, and what is not; None where its folder does not say.

    Raises `UserError` if skipped.csv cannot be read.
    """
    path = whole.root / SKIPPED
    if not path.is_file():
        return None
    try:
        noted = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): prepare the data again") from error
    if set(COLUMNS) - {"method", "compression"} - set(noted.columns):
        return None
    if split != "all":
        noted = noted[noted["split"] == split]
    chosen = whole.select(split=split)
    if choice:
        said = noted.reindex(columns=["method", "compression"], fill_value="")  # unknown where a table lacks them
        noted = noted[choice.keeps(said["method"], said["compression"])]
        chosen = kept_rows(chosen, choice)
    there = set(_files(chosen.table))
    return Coverage(len(there), sorted(set(noted["name"]) - set(_files(whole.table))))


def _files(table: pd.DataFrame) -> pd.Series:
    """Name of the file (N,) that each crop is of, by its path: see `crop_path`."""
    name = table["path"].str.removeprefix("crops/").str.replace(r"\.[^./]*$", "", regex=True)
    folder, frame = name.str.replace(r"/[^/]*$", "", regex=True), name.str.replace(r"^.*/", "", regex=True)
    of_clip = (table["video"] != "") & (frame == table["frame"].map("{:06d}".format))
    name = name.where(~of_clip, folder)
    return name.where(table["track"] == 0, name.str.replace(r"/track\d+$", "", regex=True))
