"""Frames of videos."""

import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from difffake.errors import UserError
from difffake.faces.video import even_indices, read_clip


def write_video(path: Path, frames: int) -> None:
    """A clip whose frame i is gray with brightness 2 i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for i in range(frames):
            image = np.full((64, 64, 3), 2 * i, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_frames_are_spread_over_the_whole_clip(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 100)
    clip = read_clip(tmp_path / "a.mp4", 5)
    assert [frame.number for frame in clip.frames] == [10, 30, 50, 70, 90]
    assert [frame.time for frame in clip.frames] == pytest.approx([0.4, 1.2, 2.0, 2.8, 3.6])  # 25 frames per second
    assert (clip.total, clip.announced, clip.shortfall) == (100, 100, "")
    for number, _, image in clip.frames:
        assert abs(float(image.mean()) - 2 * number) < 4  # the very frame, up to compression


def test_a_short_clip_gives_every_frame_once(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 3)
    assert [frame.number for frame in read_clip(tmp_path / "a.mp4", 40).frames] == [0, 1, 2]
    assert even_indices(0, 8) == []


def test_a_clip_cut_short_is_sampled_over_what_is_left(tmp_path: Path) -> None:
    # Matroska keeps its header first, so that the file opens, but what it says of its length is wrong.
    write_video(tmp_path / "a.mkv", 120)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    clip = read_clip(tmp_path / "cut.mkv", 8)
    numbers = [frame.number for frame in clip.frames]
    assert len(numbers) == 8
    assert numbers[-1] < 110
    gaps = np.diff(numbers)
    assert gaps.max() - gaps.min() <= 1
    assert clip.total < 110
    assert clip.shortfall.startswith(f"only {clip.total} of 120 announced frames")


def test_files_without_frames_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for name in ("empty.mp4", "none.mp4"):
        with pytest.raises(UserError, match=name):
            read_clip(tmp_path / name, 4)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match=r"folder\.mp4 is a folder"):
        read_clip(tmp_path / "folder.mp4", 4)


def test_frames_that_are_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "a.mp4", 3)
    monkeypatch.setattr("difffake.faces.video.MAX_PIXELS", 64 * 64 - 1)
    with pytest.raises(UserError, match="million pixels"):
        read_clip(tmp_path / "a.mp4", 2)


def test_a_damaged_clip_says_nothing_but_its_shortfall(tmp_path: Path) -> None:
    """FFmpeg would write a line for every damaged block; the rest of the file is decoded."""
    write_video(tmp_path / "a.mp4", 60)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    data[len(data) // 3 : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - len(data) // 3)
    (tmp_path / "a.mp4").write_bytes(data)
    code = "import sys; from pathlib import Path; from difffake.faces.video import read_clip; "
    code += "print(read_clip(Path(sys.argv[1]), 4).shortfall)"
    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.mp4"], capture_output=True, text=True, check=True
    )
    assert answer.stderr == ""
    assert re.fullmatch(r"only \d+ of 60 announced frames could be decoded: .*\n", answer.stdout)


def test_real_clips_of_both_kinds(shared_data: Path) -> None:
    for name, total in (("grid_bbaf2n.mpg", 75), ("portrait_d0.mp4", 78)):
        clip = read_clip(shared_data / "clips" / name, 10)
        assert len(clip.frames) == 10
        assert (clip.total, clip.shortfall) == (total, "")
        assert clip.frames[-1].number == int(9.5 * total / 10)
        assert len({frame.image.tobytes() for frame in clip.frames}) == 10
