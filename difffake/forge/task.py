"""Settings of a run, tasks, and results of a unit of work."""

from dataclasses import dataclass, field
from typing import Any

from difffake.forge.pairing import Clip, Pair
from difffake.forge.tools.face import Forged

Row = dict[str, Any]
People = tuple[tuple[int, ...], tuple[int, ...]]
"""All rows of the target's person, and all rows of the source's person."""


@dataclass(frozen=True)
class Settings:
    """Settings that the forgeries depend on, in addition to the manifest."""

    methods: tuple[str, ...]
    compressions: tuple[str, ...]
    size: int
    """Side of all crops, real and forged, in pixels."""
    seed: int
    diffusion: str = ""
    """Folder or Hub name of the frozen diffusion model, for the methods that have one."""
    copies: int = 1
    """Forgeries of each face with each method."""


@dataclass(frozen=True)
class Task:
    """One clip or still with its real faces, and the pair for forging it, if there is one."""

    clip: Clip
    pair: Pair | None
    people: People
    copy: int = 0
    """Number of the forgery among those of the same clip; the first one also writes the real crops."""


@dataclass
class Found:
    """Rows that a unit of work made."""

    manifest: list[Row] = field(default_factory=list)
    forgeries: list[Row] = field(default_factory=list)
    skipped: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """A real or forged frame of a clip."""

    row: int
    """Row of the manifest with the real face that the frame is or was forged from."""
    number: int
    """Position in the clip."""
    made: Forged
