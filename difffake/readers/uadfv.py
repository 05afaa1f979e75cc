"""Reader of UADFV: 49 videos, each with one fake.

    real/0000.mp4
    fake/0000_fake.mp4     0000 with another face

Videos may also be in subfolders videos, or lie as frames: `real/frames/0000/000.png`, as DeepfakeBench shares them.
Source: README.md of github.com/danmohaha/WIFS2018_In_Ictu_Oculi, where it is to be had, and DeepfakeBench's list of it.
"""

import re
from pathlib import Path

from difffake.errors import UserError
from difffake.progress import console
from difffake.readers.clips import clips_in
from difffake.readers.item import Item
from difffake.readers.reader import Reader

METHOD = "FakeApp"


def read_uadfv(root: Path) -> list[Item]:
    """The videos of UADFV; a fake `0000_fake` has the target 0000. Whose face was put in is not known.

    Fakes without their real video are counted in a line. Raises `UserError` if a folder is not there or empty, or a
    video has another name.
    """
    items: list[Item] = []
    for kind, pattern in (("real", r"(\d{4})"), ("fake", r"(\d{4})_fake")):
        if not (root / kind).is_dir():
            raise UserError(f"{root} has no folder {kind}: both real and fake belong to UADFV")
        for clip in clips_in(root / kind):
            if (match := re.fullmatch(pattern, clip.name)) is None:
                raise UserError(f"{clip.file}: its name is not like 0000 or 0000_fake: rename or remove it")
            fields = {"label": 1, "method": METHOD} if kind == "fake" else {}
            items.append(clip.item(root, video=clip.name, target=match[1], **fields))
    reals = {item.video for item in items if not item.label}
    if alone := [item.video for item in items if item.target not in reals]:
        console.print(f"{root}: {len(alone)} fakes without their real video, such as {alone[0]}")
    return items


READER = Reader(
    read_uadfv,
    "real/0000.mp4, fake/0000_fake.mp4",
    license_page="https://github.com/danmohaha/WIFS2018_In_Ictu_Oculi",
)
