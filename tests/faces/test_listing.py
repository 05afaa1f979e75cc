"""Which files are pictures, and which are videos."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from difffake.errors import UserError
from difffake.faces.listing import kind_of, left_out, list_media

FORMATS = {"mp4": "mpeg4", "3gp": "mpeg4", "ts": "mpeg2video", "mkv": "mpeg4", "avi": "mpeg4", "mpg": "mpeg2video",
           "flv": "flv", "webm": "libvpx", "wmv": "wmv2"}  # fmt: skip


def write_clip(path: Path, suffix: str) -> None:
    with av.open(
        str(path), "w", format={"mkv": "matroska", "ts": "mpegts", "wmv": "asf", "mpg": "mpeg"}.get(suffix, suffix)
    ) as file:
        stream = file.add_stream(FORMATS[suffix], rate=25)
        stream.width = stream.height = 64
        for level in range(3):
            picture = np.full((64, 64, 3), 40 * level, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


@pytest.mark.parametrize("suffix", FORMATS)
def test_videos_are_known_by_suffix_and_by_content(tmp_path: Path, suffix: str) -> None:
    write_clip(tmp_path / f"a.{suffix}", suffix)
    for name in (f"A.{suffix.upper()}", "a", "a.part"):
        shutil.copy(tmp_path / f"a.{suffix}", tmp_path / name)
        assert kind_of(tmp_path / name) == "video", name


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "GIF"])
def test_images_are_known_by_content(tmp_path: Path, format_: str) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "without-suffix", format=format_)
    assert kind_of(tmp_path / "without-suffix") == "image"


def test_what_a_suffix_does_not_tell(tmp_path: Path) -> None:
    pictures = [Image.new("L", (20, 20), 40 * level) for level in range(3)]
    pictures[0].save(tmp_path / "still.gif")
    pictures[0].save(tmp_path / "moving.gif", save_all=True, append_images=pictures[1:])
    (tmp_path / "program.ts").write_text("export const answer = 42;\n" * 40)
    (tmp_path / "notes.txt").write_text("BM: a note that begins like a bitmap, and goes on")
    (tmp_path / "cut.gif").write_bytes((tmp_path / "moving.gif").read_bytes()[:10])
    kinds = {path.name: kind_of(path) for path in tmp_path.iterdir()}
    assert kinds == {
        "still.gif": "image", "moving.gif": "video", "program.ts": None, "notes.txt": None, "cut.gif": "image",
    }  # fmt: skip
    assert (kind_of(tmp_path / "none.mp4"), kind_of(tmp_path / "none")) == ("video", None)


def test_folders_links_and_other_files(tmp_path: Path) -> None:
    """A folder named as a video is a folder; linked folders are followed, each once; a circle of links ends."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for name in ("clip.mp4/1.png", "people/ann.jpg", "people/talk.avi", "people/readme.txt", ".hidden/x.png", ".y.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    elsewhere.mkdir()
    (elsewhere / "far.jpg").touch()
    (root / "a-link").symlink_to(elsewhere)
    (root / "another-link").symlink_to(root / "people")  # known under its own name
    (elsewhere / "back").symlink_to(root)
    (root / "file-link.jpg").symlink_to(elsewhere / "far.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "nothing")
    found = list_media(root)
    images, videos, others = (
        [path.relative_to(root).as_posix() for path in paths] for paths in (found.images, found.videos, found.others)
    )
    assert images == ["a-link/far.jpg", "clip.mp4/1.png", "file-link.jpg", "people/ann.jpg"]
    assert videos == ["people/talk.avi"]
    assert others == ["broken.jpg", "people/readme.txt"]
    assert [path.name for path in found.media] == ["far.jpg", "1.png", "file-link.jpg", "ann.jpg", "talk.avi"]
    assert left_out(found.others, root) == f"{root}: 2 other files left out (broken.jpg, people/readme.txt)"
    assert left_out(found.media, root, "picture").endswith("(a-link/far.jpg, clip.mp4/1.png, file-link.jpg, ...)")
    with pytest.raises(UserError, match="is not a folder"):
        list_media(root / "people" / "ann.jpg")
