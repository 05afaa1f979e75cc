"""Reader of DeepFakeDetection (DFD), in the folders that the download of FaceForensics++ makes.

    original_sequences/actors/c23/videos/01__exit_phone_room.mp4
    manipulated_sequences/DeepFakeDetection/c23/videos/01_02__exit_phone_room__YVGY8LOK.mp4

or as frames, see `difffake.readers.ffpp`. They are two data sets: each has its own real videos, which the other's fakes
must not be measured against.
"""

from pathlib import Path

from difffake.errors import UserError
from difffake.readers.clips import name_parts
from difffake.readers.ffpp import FAKES, compressed_clips, fake_item, refuse_twice
from difffake.readers.item import Item, some
from difffake.readers.reader import Reader

DFD = "DeepFakeDetection"


def read_dfd(root: Path) -> list[Item]:
    """Read the videos of DeepFakeDetection's actors, and the fakes made of them.

    A fake `01_02__SCENE__ID` has the target 01__SCENE and the face of actor 02. Its source is 02__SCENE or, because not
    every actor played every scene, that actor's first video. Its identity is that of actor 01.

    Raises `UserError` if there are no such videos, if a video has another name, or if an actor has no real video.
    """
    items = []
    videos: dict[str, set[str]] = {}
    for clip, compression in compressed_clips(root / "original_sequences" / "actors"):
        actor, scene = name_parts(clip, r"(\d\d)__(.+)", "01__exit_phone_room")
        video = f"{actor}__{scene}"
        videos.setdefault(actor, set()).add(video)
        items.append(clip.item(root, video=video, identity=actor, target=video, compression=compression))
    for clip, compression in compressed_clips(root / FAKES / DFD):
        target, source, scene = name_parts(clip, r"(\d\d)_(\d\d)__(.+)__\w{8}", "01_02__exit_phone_room__YVGY8LOK")
        if source not in videos:
            raise UserError(f"{clip.file}: its actor {source} has no video in original_sequences/actors: add one")
        same = f"{source}__{scene}"
        found = same if same in videos[source] else min(videos[source])
        items.append(fake_item(clip, root, DFD, f"{target}__{scene}", found, target, compression))
    layout = f"original_sequences/actors/c23/videos/01__SCENE.mp4 or {FAKES}/{DFD}/c23/videos/01_02__SCENE__ID.mp4"
    return refuse_twice(some(items, root, f"no videos such as {layout}"))


READER = Reader(
    read_dfd,
    f"original_sequences/actors/c23/videos/*.mp4 or c23/frames/*/*.png, {FAKES}/{DFD}/c23/...",
    license_page="https://github.com/ondyari/FaceForensics",
)
