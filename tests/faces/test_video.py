"""Frames of videos."""

import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from drawn_clips import write_clip
from PIL import Image

from difffake.errors import UserError
from difffake.faces import decoding
from difffake.faces.video import Video, announced_length, even_indices, read_clip, read_frames


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
    assert (clip.total, clip.shortfall) == (100, "")
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
    monkeypatch.setattr("difffake.faces.decoding.MAX_PIXELS", 64 * 64 - 1)
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


FORMATS = {
    "h264.mp4": ("libx264", "yuv420p", {}),
    "b_frames.mkv": ("libx264", "yuv420p", {"bf": "3", "g": "12"}),
    "444.mp4": ("libx264", "yuv444p", {}),
    "ten_bit.mp4": ("libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
    "alpha.mkv": ("ffv1", "bgra", {}),
    "gray.mkv": ("ffv1", "gray", {}),
    "a.avi": ("mpeg4", "yuv420p", {}),
    "a.mpg": ("mpeg2video", "yuv420p", {}),
    "a.ts": ("libx264", "yuv420p", {}),
    "raw.h264": ("libx264", "yuv420p", {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {}),
    "fragmented.mp4": ("libx264", "yuv420p", {}),
}


def encode(path: Path, codec: str, pixels: str, options: dict[str, str], frames: int = 60) -> None:
    """A clip whose frame i is gray with brightness 4 i, in any codec."""
    muxer = {"movflags": "frag_keyframe+empty_moov"} if path.stem == "fragmented" else {}
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.bit_rate = pixels, 10_000_000
        for i in range(frames):
            image = np.full((64, 64, 3), 4 * i, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)))
        container.mux(stream.encode())


@pytest.mark.parametrize("name", FORMATS)
def test_the_length_of_a_video_is_known_before_it_is_decoded(tmp_path: Path, name: str) -> None:
    """Also of raw streams, and of live recordings, whose headers do not say: else `--every` would take nothing."""
    encode(tmp_path / name, *FORMATS[name])
    assert abs(announced_length(tmp_path / name) - 60) <= 1
    assert announced_length(tmp_path / "nothing.mp4") == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_has_the_same_number_in_every_format_and_however_it_is_reached(tmp_path: Path, name: str) -> None:
    encode(tmp_path / name, *FORMATS[name])
    clip = read_frames(tmp_path / name, [3, 4, 37, 58, 400])
    assert [frame.number for frame in clip.frames] == [3, 4, 37, 58]
    for number, time, image in clip.frames:
        assert image.shape == (64, 64, 3)
        assert abs(float(image.mean()) - 4 * number) < 3
        assert time == pytest.approx(number / 25, abs=0.05)  # MPEG-2 counts fields
    assert [frame.number for frame in read_clip(tmp_path / name, 2).frames] == [15, 45]


def test_seeking_in_a_program_stream_is_not_taken_for_damage(shared_data: Path) -> None:
    """It ends behind the key frame, which looks as if a frame was missing; all frames would be decoded then."""
    video = Video(shared_data / "clips" / "grid_bbaf2n.mpg")
    assert [frame.number for frame in video.sound(video.evenly(9))] == video.evenly(9)
    assert [frame.number for frame in video.frames([70, 3, 50, 0])] == [70, 3, 50, 0]


def test_only_what_leads_to_a_frame_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path / "a.mp4", "libx264", "yuv420p", {"g": "10", "bf": "2"})
    decoded = []
    frames_of = decoding.frames_of

    def counted(*arguments: Any) -> Iterator[Any]:
        for found in frames_of(*arguments):
            decoded.append(found)
            yield found

    monkeypatch.setattr(decoding, "frames_of", counted)
    assert [frame.number for frame in read_frames(tmp_path / "a.mp4", [2, 51]).frames] == [2, 51]
    assert len(decoded) == 5  # 0, 1, 2, then 50 and 51


def test_frames_in_any_order_are_those_of_one_pass(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", "libx264", "yuv420p", {"g": "10", "bf": "2"})
    numbers = [30, 31, 5, 58, 4, 59, 0]
    clip = Video(tmp_path / "a.mp4")
    found = list(clip.frames(numbers))
    assert ([frame.number for frame in found], len(clip.there), clip.rate, clip.shortfall) == (numbers, 60, 25, "")
    for frame, expected in zip(
        sorted(found, key=lambda frame: frame.number), read_frames(tmp_path / "a.mp4", numbers).frames, strict=True
    ):
        assert frame.time == expected.time
        np.testing.assert_array_equal(frame.image, expected.image)


def test_damaged_frames_are_left_out_of_those_in_any_order(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", "libx264", "yuv420p", {"g": "10", "bf": "0"})
    with av.open(str(tmp_path / "a.mp4")) as container:
        third = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe][2]
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    data[third : third + 400] = bytes(400)  # the frames 20 to 29 cannot be decoded
    (tmp_path / "a.mp4").write_bytes(data)
    assert [frame.number for frame in Video(tmp_path / "a.mp4").frames([45, 22, 5])] == [45, 5]


def test_times_of_a_clip_with_a_variable_rate(tmp_path: Path) -> None:
    times = [0, 40, 400, 410, 1000]  # milliseconds
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 50 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip = read_clip(tmp_path / "a.mkv", 9)
    assert [round(1000 * frame.time) for frame in clip.frames] == times
    assert [frame.number for frame in clip.frames] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_frames_are_upright(tmp_path: Path, turn: int) -> None:
    """As OpenCV turns them. The matrix of the track's header is written into the file by hand."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 96, 64
        image = np.zeros((64, 96, 3), np.uint8)
        image[:16, :24] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # past version, times, reserved words, layer and volume
    one = 1 << 16
    turned = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[turn]
    a, b, c, d = turned
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    (frame,) = read_clip(path, 1).frames
    _, expected = cv2.VideoCapture(str(path)).read()
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 2


def test_a_faststart_clip_that_was_cut(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "crf": "1"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(60):
            image = rng.integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 35 // 100])
    clip = read_clip(tmp_path / "cut.mp4", 6)
    assert 10 < clip.total < 30
    assert len(clip.frames) == 6
    assert clip.shortfall == (f"only {clip.total} of 60 announced frames could be decoded: the file is cut or damaged")


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nother.ts\n#EXT-X-ENDLIST\n",
    "list": "ffconcat version 1.0\nfile other.ts\n",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_file_that_names_others_opens_none_of_them(kind: str, tmp_path: Path) -> None:
    """FFmpeg knows a playlist by its content; through `list`, it would give the frames of the other file."""
    write_clip(tmp_path / "other.ts", [np.full((64, 64, 3), 9, np.uint8)] * 4)
    assert read_clip(tmp_path / "other.ts", 2).total == 4
    (tmp_path / "clip.mp4").write_text(PLAYLISTS[kind])
    with pytest.raises(UserError, match=r"clip.mp4 cannot be read as a video") as caught:
        read_clip(tmp_path / "clip.mp4", 2)
    assert "\n" not in str(caught.value)


def test_a_picture_with_the_suffix_of_a_video_is_named_so(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.jpg")
    (tmp_path / "photo.jpg").rename(tmp_path / "photo.mp4")
    with pytest.raises(UserError, match=r"photo.mp4 cannot be read as a video: it is a picture: give its name"):
        read_clip(tmp_path / "photo.mp4", 2)


def test_a_clip_that_marks_no_key_frame_is_decoded_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged packets lose the mark; found by mutated files."""
    write_video(tmp_path / "a.mp4", 20)
    whole = read_clip(tmp_path / "a.mp4", 4)
    index = decoding.read_index(tmp_path / "a.mp4")
    monkeypatch.setattr("difffake.faces.video.read_index", lambda path: index._replace(keys=[]))
    found = read_clip(tmp_path / "a.mp4", 4)
    assert [frame.number for frame in found.frames] == [frame.number for frame in whole.frames]
    np.testing.assert_array_equal(found.frames[3].image, whole.frames[3].image)
