import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from difffake.evaluation.report.pictures import Picture, embedded
from difffake.evaluation.report.write import report_text


@pytest.fixture
def noise(tmp_path: Path) -> list[Path]:
    """Three pictures that a PNG file cannot make small."""
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for number, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (300, 1600, 3), dtype=np.uint8)).save(path)
    return paths


def decoded(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.data.partition(",")[2])))


def test_the_smaller_of_png_and_svg_is_taken(tmp_path: Path, noise: list[Path]) -> None:
    small = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    noise[0].with_suffix(".svg").write_bytes(small)
    noise[1].with_suffix(".svg").write_bytes(b" " * 10_000_000)
    found, remark = embedded(noise, 10_000_000)
    assert remark == ""
    assert base64.b64decode(found[noise[0]].data.partition(",")[2]) == small
    assert found[noise[0]].data.startswith("data:image/svg+xml;base64,")
    assert base64.b64decode(found[noise[1]].data.partition(",")[2]) == noise[1].read_bytes()
    assert (found[noise[0]].width, found[noise[0]].height) == (1600, 300)


def test_pictures_are_compressed_where_all_together_are_too_large(noise: list[Path]) -> None:
    whole = sum(4 * -(-path.stat().st_size // 3) for path in noise)
    found, remark = embedded(noise, whole // 2 + 9000)
    assert len(found) == 3
    assert sum(len(picture.data) for picture in found.values()) <= whole // 2
    assert "compressed to at most" in remark
    assert "left out" not in remark
    for picture in found.values():
        assert picture.data.startswith("data:image/webp;base64,")
        assert decoded(picture).width <= 1400


def test_the_last_pictures_are_left_out_and_named_where_that_is_not_enough(noise: list[Path]) -> None:
    one = min(len(picture.data) for picture in embedded(noise, 200_000)[0].values())
    found, remark = embedded(noise, one + 10_000)
    assert list(found) == noise[:1]
    assert "2 of 3 pictures are left out" in remark
    assert f"{noise[1].parent.name}/b.png, {noise[1].parent.name}/c.png" in remark


def test_failures_are_known_by_their_name(tmp_path: Path) -> None:
    for name in ("worst_classifier", "roc"):
        Image.new("RGB", (9, 9)).save(tmp_path / f"{name}.png")
    found, _ = embedded(sorted(tmp_path.glob("*.png")), 10_000_000)
    assert [picture.failure for picture in found.values()] == [False, True]


def test_a_page_with_many_pictures_is_below_ten_megabytes(run: Path, tmp_path: Path) -> None:
    for number in range(40):
        noise = np.random.default_rng(number).integers(0, 256, (400, 700, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    (tmp_path / "figures.json").write_text("{}")
    page = report_text([run, tmp_path])
    assert 8_000_000 < len(page.encode()) < 10_000_000
    assert "because the page would be too large" in page
