"""Frames of a fake and of its source and target are taken at the same numbers."""

from pathlib import Path

import av
import numpy as np

from difffake.data.frame_numbers import frame_numbers
from difffake.faces.video import even_indices
from difffake.readers.item import Item


def clip(folder: Path, name: str, frames: int, source: str = "", target: str = "") -> Item:
    """A video of FaceForensics++ with so many frames."""
    path = folder / f"{name}.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    label = int(bool(source))
    return Item(path, name, label, video=name, source=source, target=target or name)


def folder(name: str, numbers: list[int], source: str = "", target: str = "") -> Item:
    """A video that lies as images of these numbers."""
    images = tuple((number, Path(name, f"{number}.png")) for number in numbers)
    return Item(Path(name), name, int(bool(source)), video=name, source=source, target=target or name, images=images)


def test_videos_that_belong_together_get_the_same_frames(tmp_path: Path) -> None:
    """000 and 003 were swapped with each other; 007 has no fake, and 009 is a still."""
    items = [
        clip(tmp_path, "000", 60), clip(tmp_path, "003", 90), clip(tmp_path, "000_003", 55, "003", "000"),
        clip(tmp_path, "003_000", 80, "000", "003"), clip(tmp_path, "007", 70), Item(tmp_path / "009.png", "009"),
    ]  # fmt: skip
    shared = even_indices(55, 8)
    assert frame_numbers(items, 8) == [shared, shared, shared, shared, None, None]


def test_a_few_short_clips_do_not_shorten_a_large_group(tmp_path: Path) -> None:
    actors = [folder(f"a{number}", list(range(100))) for number in range(30)]
    fakes = [folder(f"f{n}", list(range(100)), f"a{n}", f"a{(n + 1) % 30}") for n in range(30)]
    short = clip(tmp_path, "short", 20, "a0", "a1")
    found = frame_numbers([*actors, *fakes, short], 10)
    assert found[0] == even_indices(100, 10)
    assert all(numbers == found[0] for numbers in found)


def test_images_are_taken_at_the_numbers_that_all_have() -> None:
    real, fake = folder("000", list(range(0, 90, 3))), folder("000_003", list(range(0, 90, 2)), "003", "000")
    found = frame_numbers([real, fake], 5)
    assert found[0] == found[1]
    assert set(found[0] or ()) <= set(range(0, 90, 6))


def test_images_that_were_taken_at_other_numbers_are_spaced_by_themselves() -> None:
    real, fake = folder("000", list(range(0, 90, 3))), folder("000_003", list(range(1, 90, 3)), "003", "000")
    assert frame_numbers([real, fake], 5) == [None, None]


def test_every_nth_frame(tmp_path: Path) -> None:
    items = [clip(tmp_path, "000", 25), folder("001", [0, 5, 7, 10]), Item(tmp_path / "009.png", "009")]
    assert frame_numbers(items, 3, every=10) == [[0, 10, 20], [0, 10], None]
