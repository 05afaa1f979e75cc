"""Reader of FakeAVCeleb: videos of celebrities with a false face, false lips, a false voice, or both.

    RealVideo-RealAudio/African/men/id00076/00109.mp4
    FakeVideo-RealAudio/African/men/id00076/00109_id00166_3.mp4     00109 of id00076, manipulated
    FakeVideo-FakeAudio/African/men/id00076/00109_2_id00701_wavtolip.mp4
    RealVideo-FakeAudio/African/men/id00076/00109_fake.mp4
    meta_data.csv     source,target1,target2,method,category,type,race,gender,path,

The header of meta_data.csv lacks the name of its last column: `path` holds the file's name, and the nameless one its
folder. Source: github.com/DASH-Lab/FakeAVCeleb, and rows of meta_data.csv that others quote in their loaders.
"""

import csv
import re
from io import StringIO
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count, list_media
from difffake.progress import console
from difffake.readers.item import REAL, Item, name_of
from difffake.readers.lists import read_text
from difffake.readers.reader import Reader

TABLE = "meta_data.csv"
REAL_FACES, REAL_SOUND_FAKE = "RealVideo-RealAudio", "RealVideo-FakeAudio"
TYPES = (REAL_FACES, "FakeVideo-RealAudio", "FakeVideo-FakeAudio")
_SWAPS = ("faceswap", "fsgan")
"""Methods of which target1 is whose face was put in; of others it may be whose voice."""


def read_fakeavceleb(root: Path) -> list[Item]:
    """The videos of FakeAVCeleb with real or fake faces, as meta_data.csv lists them.

    A fake is named after the real video that it was made from, its target, and shows the same person. Videos of which
    only the sound is fake are left out, with a line: their faces are those of the real ones. Listed videos that are
    missing, which stay among the items, files that are not listed, and files that are listed twice are counted in
    lines too. Raises `UserError` without meta_data.csv, if it has other columns, or if none of its videos is there.
    """
    rows = _rows(root / TABLE)
    there = {file.relative_to(root).as_posix(): file for file in list_media(root).videos}
    reals: dict[str, str] = {}
    methods: dict[str, tuple[str, str, str]] = {}
    twice = sound = 0
    for number, (person, other, method, kind, path) in enumerate(rows, start=2):
        if kind == REAL_SOUND_FAKE:
            sound += 1
        elif kind not in TYPES:
            raise UserError(f"{root / TABLE}, line {number}: type {kind!r} is none of {', '.join(TYPES)}")
        elif path in methods:
            twice += 1
        else:
            methods[path] = (person, other, REAL if kind == REAL_FACES else method)
            if kind == REAL_FACES:
                reals.setdefault(person, _video(path))
    items = []
    for path, (person, other, method) in methods.items():
        file = there.get(path, root / path)
        fake = method != REAL
        video = _video(path)
        clip = re.match(r"\d+", Path(path).name)
        target = "/".join((*Path(path).parts[1:-1], clip[0])) if clip else ""
        source = reals.get(other, "") if method in _SWAPS else ""
        items.append(
            Item(
                file, name_of(file, root), int(fake), method if fake else REAL, "",
                f"{Path(path).parts[0]}/{video}" if fake else video, person, source, target if fake else video,
            )
        )  # fmt: skip
    _report(root, sound, "videos left out: only their sound is fake")
    _report(root, twice, f"rows of {TABLE} name a file again: the first counts")
    missing = sum(path not in there for path in methods)
    if missing == len(methods):
        raise UserError(f"{root}: none of the videos of {TABLE} is there")
    _report(root, missing, f"of {count(len(methods), 'video')} of {TABLE} are missing")
    unlisted = [path for path in there if path not in methods and not path.startswith(REAL_SOUND_FAKE)]
    _report(root, len(unlisted), f"videos are not in {TABLE}, such as {unlisted[0]}" if unlisted else "")
    return items


def _report(root: Path, number: int, what: str) -> None:
    if number:
        console.print(f"{root}: {number} {what}")


def _rows(table: Path) -> list[tuple[str, str, str, str, str]]:
    """Person, other person, method, type and path below the root of each row."""
    header, *lines = csv.reader(StringIO(read_text(table, "what was done to each video"), newline=""))
    expected = ["source", "target1", "target2", "method", "category", "type", "race", "gender", "path"]
    if header[:9] != expected:
        raise UserError(f"{table} has the columns {', '.join(header)} instead of {', '.join(expected)}")
    if not lines:
        raise UserError(f"{table} has no rows: download it again")
    rows = []
    for number, line in enumerate(lines, start=2):
        if len(line) < 10:
            raise UserError(f"{table}, line {number}: {len(line)} values instead of 10")
        person, other, _, method, _, kind, *_, name, folder = line[:10]
        # The folder begins with the name of the data set's folder, which may have been renamed.
        rows.append((person, other, method, kind, f"{folder[folder.find(kind) :]}/{name}"))
    return rows


def _video(path: str) -> str:
    """Name of a video without its type and suffix, such as African/men/id00076/00109."""
    return Path(*Path(path).parts[1:]).with_suffix("").as_posix()


READER = Reader(
    read_fakeavceleb,
    f"RealVideo-RealAudio/RACE/GENDER/ID/*.mp4, FakeVideo-RealAudio/..., FakeVideo-FakeAudio/..., {TABLE}",
    "none of its own, and swaps join most people: --split 0 0 1 takes it whole as a test set",
    "https://github.com/DASH-Lab/FakeAVCeleb",
)
