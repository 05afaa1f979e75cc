"""Files without any crop in a manifest, according to skipped.csv of `difffake prepare`."""

from typing import NamedTuple

import pandas as pd

from difffake.data.manifest import Manifest
from difffake.errors import UserError

SKIPPED = "skipped.csv"
"""A file beside the manifest, with one row per frame or file that was left out, or kept with a remark."""
COLUMNS = ["file", "name", "split", "frame", "kept", "reason"]
"""name: name of the file as in its crops' paths; kept: whether there is a crop in spite of the remark."""


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


def coverage(whole: Manifest, split: str) -> Coverage | None:
    """Files of a split with and without crops; None if the manifest's folder has no skipped.csv.

    Raises `UserError` if skipped.csv cannot be read.
    """
    path = whole.root / SKIPPED
    if not path.is_file():
        return None
    try:
        noted = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): prepare the data again") from error
    if set(COLUMNS) - set(noted.columns):
        return None
    if split != "all":
        noted = noted[noted["split"] == split]
    there = set(_files(whole.select(split=split).table))
    return Coverage(len(there), sorted(set(noted["name"]) - set(_files(whole.table))))


def _files(table: pd.DataFrame) -> pd.Series:
    """Name (N,) of each crop's file, from its path: crops/NAME.png for a still, crops/NAME/000012.png for a frame."""
    name = table["path"].str.removeprefix("crops/").str.replace(r"\.[^./]*$", "", regex=True)
    folder, frame = name.str.replace(r"/[^/]*$", "", regex=True), name.str.replace(r"^.*/", "", regex=True)
    of_clip = (table["video"] != "") & (frame == table["frame"].map("{:06d}".format))
    return name.where(~of_clip, folder)
