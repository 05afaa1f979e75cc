"""Videos of one folder, whether they lie as files or as frames, and what is missing of a published list."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difffake.errors import UserError
from difffake.faces.listing import list_media
from difffake.progress import console
from difffake.readers.frames import Images, numbered, report_left_out
from difffake.readers.item import Item, name_of

PLACES = ("videos", "frames", "images")
"""Subfolders that hold the videos of a folder; the first that is there is read."""
_BESIDE = {"masks", "mask", "landmarks"}
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp")


@dataclass(frozen=True)
class Clip:
    """A video file, or a folder with the frames of a video."""

    file: Path
    images: Images = ()

    @property
    def name(self) -> str:
        """The video's name: that of its file without suffix, or of its folder."""
        return self.file.name if self.images else self.file.stem

    def item(self, root: Path, **fields: Any) -> Item:
        """An `Item` named by its path below `root`; `fields` are others of `Item`."""
        name = self.file.relative_to(root).as_posix() if self.images else name_of(self.file, root)
        return Item(self.file, name, images=self.images, **fields)


def clips_in(folder: Path, lists: Collection[str] = ()) -> list[Clip]:
    """The videos of a folder, sorted: files in its subfolder videos, or frames in frames or images, or what it holds.

    A video lies as frames if its pictures are in a folder of its own, as `frames/000/0000.png`; masks and landmarks
    beside them are left out, as are frames where there are videos, which is printed, as are other files but `lists`,
    which the reader knows. Raises `UserError` if there is nothing, or an unfinished download.
    """
    there = [folder / name for name in PLACES if (folder / name).is_dir()]
    for place in there or [folder]:
        if clips := _clips_of(place, lists):
            if others := [other.name for other in there if other != place]:
                console.print(f"{folder}: {', '.join(others)} left out, as {place.name} is read")
            return clips
    raise UserError(f"{there[0] if there else folder} has no videos and no frames: finish its download or remove it")


def _clips_of(place: Path, lists: Collection[str]) -> list[Clip]:
    listing = list_media(place)
    others = [file for file in listing.others if file.name not in lists]
    if unfinished := [file for file in (*listing.videos, *listing.others) if file.suffix.lower() in _UNFINISHED]:
        raise UserError(f"{unfinished[0]} is an unfinished download: finish or remove it")
    if listing.videos:
        report_left_out([*listing.images, *others], place)
        return [Clip(file) for file in listing.videos]
    by_folder: dict[Path, list[Path]] = {}
    for file in listing.images:
        if not _BESIDE & set(file.relative_to(place).parts[:-1]):
            by_folder.setdefault(file.parent, []).append(file)
    report_left_out(others, place)
    return [Clip(file, numbered(files)) for file, files in sorted(by_folder.items())]


def name_parts(clip: Clip, pattern: str, example: str) -> tuple[str, ...]:
    """What the groups of `pattern` match in the video's name. Raises `UserError` if it is another one."""
    match = re.fullmatch(pattern, clip.name)
    if match is None:
        suffix = "" if clip.images else clip.file.suffix
        raise UserError(f"{clip.file}: its name is not like {example}{suffix}: rename or remove it")
    return match.groups()


def report_missing(names: Iterable[str], there: Collection[str], what: str) -> None:
    """Print how many of the published `names` are not `there`; `what` says where they should be. Nothing if none is."""
    names = sorted(set(names))
    if missing := [name for name in names if name not in there]:
        console.print(f"{what}: {len(missing)} of {len(names)} videos are missing, such as {missing[0]}")


def missing_line(root: Path, listed: Mapping[str, Collection[str]], there: Mapping[str, Collection[str]]) -> str:
    """One line that says how many videos of each kind are `listed` and not `there`; "" if none is missing."""
    parts = []
    for kind, names in listed.items():
        if missing := sorted(set(names) - set(there[kind])):
            parts.append(f"{kind} {len(missing)} of {len(set(names))} (such as {missing[0]})")
    return f"{root}: listed videos that are missing: {', '.join(parts)}" if parts else ""


def face_video(person: str, split: str, videos: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """A video of the person whose face a fake shows, where the data set does not say which one was used.

    The first of theirs in `split`, else their first, of `videos`: the split and name of each real one by person. Where
    there is none it is the person's name, which tells at least that two fakes show one face.
    """
    own = sorted(videos.get(person, ()), key=lambda video: (video[0] != split, video[1]))
    return own[0][1] if own else person
