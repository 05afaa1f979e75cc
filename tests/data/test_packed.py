"""Packed crops are the same pixels."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difffake.commands.main import main
from difffake.data.datasets import CropDataset
from difffake.data.manifest import TEXT_COLUMNS, Manifest
from difffake.data.packed import FILE, INDEX, _pack_above, read_crop
from difffake.errors import UserError
from difffake.faces.images import read_image, write_png


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Three crops of different sizes: noise, one color, and one row of pixels."""
    root, rng = tmp_path / "made", np.random.default_rng(0)
    noise = [rng.integers(0, 255, size, np.uint8) for size in ((40, 33, 3), (1, 9, 3))]
    images = [*noise, np.full((64, 64, 3), 7, np.uint8)]
    names = dict.fromkeys(TEXT_COLUMNS, "") | {"dataset": "d", "split": "test", "method": "real"}
    rows = []
    for number, image in enumerate(images):
        write_png(root / f"crops/ann/{number}.png", image)
        rows.append(names | {"path": f"crops/ann/{number}.png", "label": 0, "frame": 0, "box": None, "landmarks": None})
    Manifest(pd.DataFrame(rows), root).write(root / "manifest.parquet")
    return Manifest.read(root)


def test_a_packed_crop_is_its_file(manifest: Manifest) -> None:
    files = [manifest.file(row) for row in range(len(manifest))]
    before = [read_image(file) for file in files]
    assert main(["pack", str(manifest.root)]) == 0
    shutil.rmtree(manifest.root / "crops")  # so that nothing else can be read
    for file, image in zip(files, before, strict=True):
        assert np.array_equal(read_crop(file), image)
    assert CropDataset(manifest, 32)[0, 1]["image"].shape == (1, 3, 32, 32)
    assert (manifest.root / FILE).stat().st_size == sum(image.nbytes for image in before)


def test_a_packed_crop_cannot_be_changed_by_mistake(manifest: Manifest) -> None:
    assert main(["pack", str(manifest.root)]) == 0
    with pytest.raises(ValueError, match="read-only"):
        read_crop(manifest.file(0))[:] = 0


def test_other_files_are_read_as_they_are(manifest: Manifest, tmp_path: Path) -> None:
    assert main(["pack", str(manifest.root)]) == 0
    new = np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8)
    for place in (manifest.root / "crops" / "new.png", tmp_path / "elsewhere.png"):
        write_png(place, new)
        assert np.array_equal(read_crop(place), new)


def test_a_pack_is_not_replaced_unasked(manifest: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", str(manifest.root)]) == 0
    assert main(["pack", str(manifest.root)]) == 1
    said = capsys.readouterr().err
    assert "exists already: add --overwrite to pack again" in said
    assert "--out" not in said  # which the command does not have
    assert main(["pack", str(manifest.root), "--overwrite"]) == 0


@pytest.mark.parametrize("damage", ["cut", "no index", "broken index"])
def test_a_broken_pack_is_told_in_one_line(manifest: Manifest, damage: str) -> None:
    assert main(["pack", str(manifest.root)]) == 0
    if damage == "cut":
        (manifest.root / FILE).write_bytes((manifest.root / FILE).read_bytes()[:-5])
    elif damage == "no index":
        (manifest.root / INDEX).unlink()
    else:
        (manifest.root / INDEX).write_bytes(b"no index")
    _pack_above.cache_clear()
    with pytest.raises(UserError, match=r"crops\.pack.*pack the crops again") as error:
        read_crop(manifest.file(0))
    assert "\n" not in str(error.value)
