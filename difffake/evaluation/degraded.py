"""Crops of a manifest as they are after a degradation, made while they are read."""

from dataclasses import dataclass, field

import numpy as np

from difffake.data.keys import frame_order, pair_group
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.evaluation.degradations import DEGRADATIONS, Degradation, Image
from difffake.randomness import named_generator

CLIP = 32
"""Largest number of crops that are degraded together, such as encoded as one clip."""


class Clips:
    """Which rows of a manifest are degraded together: the crops of a person in a video, in the order of the frames.

    A still is alone. Random numbers are drawn by the names of crops and people, so they depend neither on other rows
    nor on processes and batches.

    Args:
        manifest: the manifest.
    """

    def __init__(self, manifest: Manifest) -> None:
        table = manifest.table
        alone = table["video"] == ""
        of_crop = table["dataset"] + "/" + table["compression"] + "/" + table["method"] + "/" + table["path"]
        person = table["dataset"] + "/" + pair_group(table)
        self.crop: list[str] = of_crop.tolist()
        self.person: list[str] = person.where(~alone, of_crop).tolist()
        self.rows: dict[int, list[int]] = {}
        ordered = frame_order(table).argsort(kind="stable").to_numpy()
        groups: dict[str, list[int]] = {}
        for row in ordered.tolist():
            groups.setdefault(self.person[row], []).append(row)
        for group in groups.values():
            for start in range(0, len(group), CLIP):
                clip = group[start : start + CLIP]
                self.rows |= dict.fromkeys(clip, clip)


@dataclass
class Degraded:
    """Reads the crop of a row after a degradation: `degraded(row)`.

    Args:
        manifest: the manifest.
        clips: its clips.
        kind: name of the degradation.
        value: its strength.
        seed: random seed.
    """

    manifest: Manifest
    clips: Clips
    kind: str
    value: float
    seed: int
    _last: dict[int, Image] = field(default_factory=dict)
    """The last clip, because its crops are mostly read one after the other."""

    @property
    def degradation(self) -> Degradation:
        """The degradation itself; not a field, because its function cannot be sent to another process."""
        return DEGRADATIONS[self.kind]

    def __call__(self, row: int) -> Image:
        """The degraded crop of a row."""
        if not self.degradation.whole_clip:
            return self._degraded([row])[row]
        if row not in self._last:
            self._last = self._degraded(self.clips.rows[row])
        return self._last[row]

    def _degraded(self, rows: list[int]) -> dict[int, Image]:
        crops = [read_crop(self.manifest.file(row)) for row in rows]
        names = self.clips.person if self.degradation.same_for_all else self.clips.crop
        rngs = [named_generator(self.seed, self.kind, names[row]) for row in rows]
        found = self.degradation.apply(crops, self.value, rngs)
        return dict(zip(rows, map(np.ascontiguousarray, found), strict=True))
