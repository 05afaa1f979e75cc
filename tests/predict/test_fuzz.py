"""Broken and malicious files: 500 mutations of small pictures and clips, none of which may crash or hang anything."""

import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_clips import drawn
from PIL import Image
from tiny import TinyRun

FILES = 500
SECONDS = 300  # about 20 are needed
PICTURE = drawn(3)[0][::2, ::2]


def write(path: Path, codec: str, pixels: str = "yuv420p") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = PICTURE.shape[:2]
        stream.pix_fmt = pixels
        for shift in range(6):
            frame = av.VideoFrame.from_ndarray(np.roll(PICTURE, shift, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_seeds(folder: Path) -> list[Path]:
    """One small file of each kind that users have."""
    folder.mkdir()
    image = Image.fromarray(PICTURE)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    image.save(folder / "a.jpg", exif=exif)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("RGBA").save(folder / "alpha.png")
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.save(folder / "a.bmp")
    image.save(folder / "a.webp")
    image.save(folder / "a.tif", compression="tiff_lzw")
    image.quantize(16).save(folder / "a.gif", save_all=True, append_images=[image.rotate(9).quantize(16)], duration=90)
    for name, codec in (
        ("h264.mp4", "libx264"), ("a.mov", "mpeg4"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx"),
        ("a.mpg", "mpeg1video"), ("a.ts", "mpeg2video"), ("a.flv", "flv1"),
    ):  # fmt: skip
        write(folder / name, codec)
    write(folder / "ten.mp4", "libx265", "yuv420p10le")
    return sorted(folder.iterdir())


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with one kind of damage: bits, a cut, a hole, a repeated part, numbers of a header, or another head."""
    found = bytearray(data)
    kind = rng.integers(6)
    if kind == 0:
        for place in rng.integers(len(found), size=rng.integers(1, 40)):
            found[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del found[int(rng.integers(len(found))) :]
    elif kind == 2:
        start = int(rng.integers(len(found)))
        del found[start : start + int(rng.integers(1, 200))]
    elif kind == 3:
        start = int(rng.integers(len(found)))
        found[start:start] = found[start : start + int(rng.integers(1, 200))]
    elif kind == 4:  # large numbers in the head, where sizes and counts are
        for place in rng.integers(min(200, len(found)), size=rng.integers(1, 6)):
            found[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])
    else:
        found[: len(found) // 3] = rng.bytes(len(found) // 3)
    return bytes(found)


def run(ckpt: Path, folder: Path) -> Counter[str]:
    """What came of each file; the last one is named if the process died."""
    command = [sys.executable, str(Path(__file__).with_name("fuzzed.py")), str(ckpt), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died at {lines[-1] if lines else 'the start'}: {done.stderr[-2000:]}"
    unknown = [line for line in lines if line[1] not in ("scored", "refused")]
    assert not unknown
    return Counter(outcome for _, outcome in lines)


def write_traps(folder: Path) -> int:
    """Files that are not what they say, and that are refused. Returns their number."""
    folder.mkdir(exist_ok=True)
    before = len(list(folder.iterdir()))
    (folder / "empty.png").touch()
    (folder / "empty.mp4").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "text.mov").write_text("no clip")
    (folder / "picture_as_clip.mp4").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "clip_as_picture.jpg").write_bytes((folder / "h264.mp4").read_bytes())
    huge = bytearray((folder / "alpha.png").read_bytes())
    huge[16:24] = struct.pack(">II", 100_000, 100_000)  # width and height
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    (folder / "huge.png").write_bytes(huge)
    huge = bytearray((folder / "a.jpg").read_bytes())
    size = huge.index(b"\xff\xc0") + 5
    huge[size : size + 4] = struct.pack(">HH", 65_500, 65_500)
    (folder / "huge.jpg").write_bytes(huge)
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        sound.rate = 16_000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return len(list(folder.iterdir())) - before


def test_every_kind_of_file_is_read_and_what_is_none_is_refused(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "seeds"
    write_seeds(folder)
    write(folder / "see_through.mov", "qtrle", "argb")
    long = bytearray((folder / "a.avi").read_bytes())  # six frames that say that they are two million
    for place in (long.index(b"avih") + 24, long.index(b"strh") + 40):
        assert struct.unpack("<I", long[place : place + 4]) == (6,)
        long[place : place + 4] = struct.pack("<I", 2_000_000)
    (folder / "long.avi").write_bytes(long)
    good = len(list(folder.iterdir()))
    refused = write_traps(folder)
    assert run(tiny_run.ckpt, folder) == {"scored": good, "refused": refused}


@pytest.mark.parametrize("seed", [0])
def test_no_mutated_file_crashes_or_hangs(seed: int, tiny_run: TinyRun, tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds")
    (tmp_path / "files").mkdir()
    rng = np.random.default_rng(seed)
    for number in range(FILES):
        file = seeds[number % len(seeds)]
        (tmp_path / "files" / f"{number:03d}{file.suffix}").write_bytes(mutated(file.read_bytes(), rng))
    found = run(tiny_run.ckpt, tmp_path / "files")
    assert found.total() == FILES
    assert found["refused"] > FILES // 10
    assert found["scored"] > FILES // 10
