"""Reading images."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from difffake.errors import UserError
from difffake.faces.images import read_image, write_png


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def test_png_keeps_every_pixel_and_the_channel_order(tmp_path: Path, image: np.ndarray) -> None:
    write_png(tmp_path / "a" / "b.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a" / "b.png"), image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a" / "b.png"))[..., ::-1], image)


def test_gray_and_transparent_images_become_rgb(tmp_path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "gray.png"), image[..., 0])
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([image, image[..., 0]]))
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png"), image[..., [0, 0, 0]])
    assert read_image(tmp_path / "rgba.png").shape == (40, 30, 3)


def test_broken_files_are_named(tmp_path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "whole.jpg"), image)
    data = (tmp_path / "whole.jpg").read_bytes()
    assert read_image(tmp_path / "whole.jpg").shape == (40, 30, 3)
    for name, content in {"cut.jpg": data[: len(data) * 2 // 3], "empty.jpg": b"", "text.png": b"hello"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(UserError, match=r"none\.jpg cannot be read"):
        read_image(tmp_path / "none.jpg")


def test_images_that_unfold_to_gigabytes_are_refused(tmp_path: Path) -> None:
    """40,000 x 30,000 pixels of one bit in 150 kB, as a decompression bomb has them."""
    side, row = (40000, 30000), bytes(40000 // 8 + 1)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side[1])) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *side, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n"
    for name, part in parts:
        png += struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
    assert len(png) < 200_000
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(UserError, match=r"bomb\.png has more than 179 million pixels"):
        read_image(tmp_path / "bomb.png")


def test_formats_of_phones_and_of_the_web(tmp_path: Path) -> None:
    level = np.full((40, 30, 3), (200, 40, 90), np.uint8)
    for name in ("a.avif", "a.gif", "a.webp", "a.jfif"):
        Image.fromarray(level).save(tmp_path / name, format="JPEG" if name == "a.jfif" else None)
        assert np.abs(read_image(tmp_path / name).astype(int) - level).max() < 8, name
