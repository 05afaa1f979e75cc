"""Frames of videos."""

from pathlib import Path

import av
import numpy as np
import pytest

from difffake.errors import UserError
from difffake.faces.video import even_indices, read_frames


def write_video(path: Path, frames: int) -> None:
    """A clip whose frame i is grey with brightness 2 i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for i in range(frames):
            image = np.full((64, 64, 3), 2 * i, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_frames_are_spread_over_the_whole_clip(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 100)
    frames = read_frames(tmp_path / "a.mp4", 5)
    assert [number for number, _ in frames] == [10, 30, 50, 70, 90]
    for number, image in frames:
        assert abs(float(image.mean()) - 2 * number) < 4  # the very frame, up to compression


def test_a_short_clip_gives_every_frame_once(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 3)
    assert [number for number, _ in read_frames(tmp_path / "a.mp4", 40)] == [0, 1, 2]
    assert even_indices(0, 8) == []


def test_a_clip_cut_short_is_sampled_over_what_is_left(tmp_path: Path) -> None:
    # Matroska keeps its header first, so that the file opens, but what it says of its length is wrong.
    write_video(tmp_path / "a.mkv", 120)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    numbers = [number for number, _ in read_frames(tmp_path / "cut.mkv", 8)]
    assert len(numbers) == 8
    assert numbers[-1] < 110
    gaps = np.diff(numbers)
    assert gaps.max() - gaps.min() <= 1


def test_files_without_frames_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for name in ("empty.mp4", "none.mp4"):
        with pytest.raises(UserError, match=name):
            read_frames(tmp_path / name, 4)


def test_real_clips_of_both_kinds(shared_data: Path) -> None:
    for name, total in (("grid_bbaf2n.mpg", 75), ("portrait_d0.mp4", 78)):
        frames = read_frames(shared_data / "clips" / name, 10)
        assert len(frames) == 10
        assert frames[-1][0] == int(9.5 * total / 10)
        assert len({image.tobytes() for _, image in frames}) == 10
