"""Reader of Celeb-DF v1, v2 and v3 (Celeb-DF++), in their published folders.

    Celeb-real/id1_0007.mp4                                      celebrity 1
    YouTube-real/00170.mp4                                       a person each
    Celeb-synthesis/id1_id0_0007.mp4                             v1, v2: id1_0007 with the face of id0
    Celeb-synthesis/FaceSwap/BlendFace/id1_id0_0007.mp4          v3: also FaceReenact/METHOD, TalkingFace/METHOD
    List_of_testing_videos.txt                                   lines such as `1 YouTube-real/00170.mp4`; 1 is real

The videos of a folder may also be in its subfolder videos, or lie as frames: `Celeb-real/frames/id1_0007/000.png`.

Source: README.md of github.com/yuezunli/celeb-deepfakeforensics and of github.com/OUC-VAS/Celeb-DF-PP; which of the two
identities is which: issue 6 of the former. The names of v3's fakes, such as TalkingFace/FLOAT/id1_0007_test_x.mp4, are
as others read them, as is that it names the target first too.
"""

from collections.abc import Iterator
from pathlib import Path

from difffake.errors import UserError
from difffake.readers.clips import Clip, clips_in, face_video, name_parts, report_missing
from difffake.readers.item import REAL, Item
from difffake.readers.lists import read_text
from difffake.readers.reader import Reader

LIST = "List_of_testing_videos.txt"
SYNTHESIS = "Celeb-synthesis"
FAMILIES = ("FaceSwap", "FaceReenact", "TalkingFace")  # of v3: a folder for each method in them
_REALS = ("celeb-real", "youtube-real")
_FAKE = r"(id\d+)_(?:(id\d+)_)?(\d+)(?:_.+)?"  # a talking face has no second identity: a voice drives it


def read_celeb_df(root: Path) -> list[Item]:
    """The videos of Celeb-DF: those on its list are test, all others train.

    A fake `id1_id0_0007` has the target id1_0007 and the face of id0; which video of id0 is not published, so it is one
    of the same split. It claims to show id1. Both splits show the same people, so only one can be prepared at a time.
    Listed videos that are missing are printed, and stay among the items so that they are counted as lost. Raises
    `UserError` if the list or a folder is not there, a video has another name, or the list contradicts the folders.
    """
    listed = {_key(path): path for path in _read_list(root / LIST)}
    clips = {_key(path): (path, clip) for path, clip in _clips_of(root)}
    report_missing(listed, clips, str(root / LIST))
    clips |= {key: (path, Clip(root / path)) for key, path in listed.items() if key not in clips}
    items = []
    videos: dict[str, list[tuple[str, str]]] = {}
    for key, (path, clip) in clips.items():
        if _method(path) == REAL:
            split = "test" if key in listed else "train"
            of_celebrity = key.startswith(_REALS[0])
            (person,) = name_parts(clip, *((r"(id\d+)_\d+", "id1_0007") if of_celebrity else (r"(\d+)", "00170")))
            videos.setdefault(person, []).append((split, clip.name))
            items.append(clip.item(root, video=clip.name, identity=person, target=clip.name, split=split))
    for key, (path, clip) in clips.items():
        if (method := _method(path)) != REAL:
            split = "test" if key in listed else "train"
            target, source, number = name_parts(clip, _FAKE, "id1_id0_0007")
            fields = {"video": f"{method}/{clip.name}", "identity": target, "target": f"{target}_{number}"}
            fields |= {"source": face_video(source, split, videos) if source else "", "method": method, "split": split}
            items.append(clip.item(root, label=1, **fields))
    return items


def _clips_of(root: Path) -> Iterator[tuple[str, Clip]]:
    """Every video with its path below `root`, without suffix and without a subfolder videos or frames."""
    folders = {folder.name.lower(): folder for folder in sorted(root.iterdir()) if folder.is_dir()}
    for name in (*_REALS, SYNTHESIS.lower()):
        if name not in folders:
            raise UserError(f"{root} lacks one of the folders Celeb-real, YouTube-real, {SYNTHESIS}: unpack it whole")
        top = folders[name]
        families = [top / family for family in FAMILIES if (top / family).is_dir()]
        methods = [method for family in families for method in sorted(family.iterdir()) if method.is_dir()]
        for folder in methods or [top]:
            for clip in clips_in(folder):
                yield f"{folder.relative_to(root).as_posix()}/{clip.name}", clip


def _read_list(file: Path) -> list[str]:
    """Paths of the test videos."""
    paths = []
    for number, line in enumerate(read_text(file, "which videos are the test set").splitlines(), start=1):
        label, _, path = line.strip().partition(" ")
        if not label:
            continue
        if label not in ("0", "1") or len(Path(path).parts) < 2:
            raise UserError(f"{file}, line {number}: {line!r} is not like `1 YouTube-real/00170.mp4`")
        if (label == "1") != (_method(path) == REAL):
            raise UserError(f"{file}, line {number}: {line!r} contradicts its folder: 1 is real, 0 is fake")
        paths.append(path.strip())
    return paths


def _key(path: str) -> str:
    """What is equal for the same video on the list and on the disk: some copies write Youtube-real."""
    return path.removesuffix(".mp4").lower()


def _method(path: str) -> str:
    """Method of a video: real, Celeb-synthesis, or the folder of v3's method."""
    top, *between, _ = Path(path).parts
    return REAL if top.lower() in _REALS else between[-1] if between else SYNTHESIS


READER = Reader(
    read_celeb_df,
    f"Celeb-real/*.mp4, YouTube-real/*.mp4, {SYNTHESIS}/*.mp4 (v3: {SYNTHESIS}/FaceSwap/METHOD/*.mp4 ...), {LIST}",
    f"{LIST} is test, all else train; they share people, so prepare one of them: --splits test",
    "https://github.com/yuezunli/celeb-deepfakeforensics",
)
