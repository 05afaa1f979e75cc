"""What is asked of a run and of a unit of its work, and what a unit gives."""

from dataclasses import dataclass, field
from typing import Any

from difffake.forge.pairing import Clip, Pair
from difffake.forge.tools.face import Forged

Row = dict[str, Any]
People = tuple[tuple[int, ...], tuple[int, ...]]
"""All rows of a target's and of a source's person."""


@dataclass(frozen=True)
class Settings:
    """What the forgeries depend on, beside the manifest."""

    methods: tuple[str, ...]
    compressions: tuple[str, ...]
    size: int
    """Side of all crops, real and forged, in pixels."""
    seed: int
    diffusion: str = ""
    """Folder or Hub name of the frozen diffusion model, for the methods that have one."""


@dataclass(frozen=True)
class Task:
    """One clip or still: its real faces, and the pair by which it is forged, if there is one."""

    clip: Clip
    pair: Pair | None
    people: People


@dataclass
class Found:
    """Rows of what a unit of work made."""

    manifest: list[Row] = field(default_factory=list)
    forgeries: list[Row] = field(default_factory=list)
    skipped: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """A real or forged frame of a clip."""

    row: int
    """Of the manifest, of the real face that it is or was forged from."""
    number: int
    """Its place in the clip."""
    made: Forged
