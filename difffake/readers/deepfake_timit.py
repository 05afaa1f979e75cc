"""Reader of DeepfakeTIMIT: 32 people, whose faces were put into each other's videos by two models.

    DeepfakeTIMIT/lower_quality/fadg0/sa1-video-fram1.avi     sentence sa1 of fadg0 with the face of fram1
    DeepfakeTIMIT/higher_quality/...                          the same, by a larger model
    VidTIMIT/fadg0/video/sa1/001                              the real video, as JPEG files without a suffix
    VidTIMIT/fadg0/sa1.avi                                    or as a video file

Its own download has no real videos: they are those of VidTIMIT. Both folders lie below the root. Source:
www.idiap.ch/en/dataset/deepfaketimit and conradsanderson.id.au/vidtimit.
"""

import re
from dataclasses import replace
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count, list_media
from difffake.progress import console
from difffake.readers.frames import folders_of, frames_item, report_left_out
from difffake.readers.item import Item, name_of
from difffake.readers.reader import Reader

QUALITIES = ("lower_quality", "higher_quality")
REALS = "VidTIMIT"
_SENTENCE = r"s[aix]\d+"


def read_deepfake_timit(root: Path) -> list[Item]:
    """The videos of DeepfakeTIMIT and the sentences of VidTIMIT; a fake's method is its quality.

    A fake claims to show the person whose sentence it is, its target; its source is the same sentence of the other
    person if there is one, else their first. VidTIMIT's turns of the head, which have no fakes, are left out with a
    line. Raises `UserError` if fakes or real videos are not there, or a fake has another name.
    """
    items, turns = _reals(root / REALS)
    if turns:
        console.print(f"{root / REALS}: {count(turns, 'video')} of turning heads left out")
    reals: dict[str, list[str]] = {}
    for item in items:
        reals.setdefault(item.identity, []).append(item.video)
    top = root / "DeepfakeTIMIT" if (root / "DeepfakeTIMIT").is_dir() else root
    folders = [top / quality for quality in QUALITIES if (top / quality).is_dir()]
    if not folders:
        raise UserError(f"{top}: neither {' nor '.join(QUALITIES)} is there")
    for folder in folders:
        for file in list_media(folder).videos:
            person = file.parent.name
            match = re.fullmatch(rf"({_SENTENCE})-video-(\w+)", file.stem)
            if match is None:
                raise UserError(f"{file}: its name is not like sa1-video-fram1.avi: rename or remove it")
            sentence, other = match.groups()
            own = sorted(reals.get(other, ()))
            source = f"{other}/{sentence}" if f"{other}/{sentence}" in own else next(iter(own), other)
            items.append(
                Item(
                    file, name_of(file, root), 1, folder.name, "", f"{folder.name}/{person}/{file.stem}", person,
                    source, f"{person}/{sentence}",
                )
            )  # fmt: skip
    return items


def _reals(folder: Path) -> tuple[list[Item], int]:
    """The sentences of VidTIMIT, and how many other videos there are."""
    if not folder.is_dir():
        raise UserError(f"{folder} is missing: the real videos of DeepfakeTIMIT are those of VidTIMIT")
    items: list[Item] = []
    turns = 0
    names: set[str] = set()
    listing = list_media(folder)
    for path, images in folders_of(listing.images).items():
        if path.parent.name == "video" and re.fullmatch(_SENTENCE, path.name):
            items.append(_real(frames_item(path, images, folder.parent), path.parents[1].name, path.name))
            names.add(items[-1].video)
        else:
            turns += 1
    for file in listing.videos:
        if not re.fullmatch(_SENTENCE, file.stem):
            turns += 1
        elif f"{file.parent.name}/{file.stem}" not in names:
            items.append(_real(Item(file, name_of(file, folder.parent)), file.parent.name, file.stem))
    report_left_out(listing.others, folder)
    if not items:
        raise UserError(
            f"{folder}: no videos such as fadg0/video/sa1/001 or fadg0/sa1.avi: unpack each person's archive"
        )
    return items, turns


def _real(item: Item, person: str, sentence: str) -> Item:
    """The item with what the folders say of a real video."""
    video = f"{person}/{sentence}"
    return replace(item, video=video, identity=person, target=video)


READER = Reader(
    read_deepfake_timit,
    "DeepfakeTIMIT/higher_quality/PERSON/sa1-video-PERSON.avi and so lower_quality, VidTIMIT/PERSON/video/sa1/001",
    license_page="https://www.idiap.ch/en/dataset/deepfaketimit",
)
