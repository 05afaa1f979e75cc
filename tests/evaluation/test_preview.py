"""The contact sheets of pseudo-deepfakes and of forgeries."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import TinyRun

from difffake.data.manifest import COLUMNS, Manifest
from difffake.data.records import read_records
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.evaluation.preview import PSEUDO_COLUMNS, ROWS, forged_rows, preview, pseudo_rows, sheet
from difffake.faces.images import read_image, write_png
from difffake.randomness import generator


def write_faces(folder: Path, count: int, with_landmarks: bool = True) -> Path:
    """A manifest of `count` drawn faces with a red frame, by which the test finds them on the sheet."""
    rows = []
    for index in range(count):
        image, landmarks = render_face(Identity.sample(generator(index)), size=96)
        image[:6] = image[-6:] = (255, 0, 0)
        write_png(folder / f"{index}.png", image)
        row: dict[str, object] = dict.fromkeys(COLUMNS, "")
        row |= {"path": f"{index}.png", "dataset": "drawn", "split": "train", "method": "real"}
        row |= {"identity": str(index), "label": 0, "frame": 0, "box": None}
        rows.append(row | {"landmarks": landmarks.ravel().tolist() if with_landmarks else None})
    Manifest(pd.DataFrame(rows), folder).write(folder / "manifest.parquet")
    return folder / "manifest.parquet"


def test_rows_are_every_hull_and_region_once() -> None:
    assert [hull or region for region, hull in ROWS] == [
        "facehull", "dfl_full", "components", "extended", "eyes", "mouth", "lower_head",
    ]  # fmt: skip


def test_sheet_shows_a_rows_pictures_under_their_names() -> None:
    pictures = tuple(np.full((64, 64, 3), level, np.uint8) for level in (10, 20, 30))
    axes = sheet(("a", "b", "c"), [("row", pictures)]).axes
    assert [axis.get_title() for axis in axes] == ["a", "b", "c"]
    assert [np.unique(axis.images[0].get_array()).tolist() for axis in axes] == [[10], [20], [30]]
    assert axes[0].get_ylabel() == "row"


def test_rows_of_pseudo_deepfakes_are_named_after_region_and_hull() -> None:
    made = pseudo_rows([render_face(Identity.sample(generator(row)), size=96) for row in range(len(ROWS))], seed=0)
    assert [name for name, _ in made][3:5] == ["face: extended", "eyes"]
    for _, pictures in made:
        target, _, mask, fake = pictures
        assert len(pictures) == len(PSEUDO_COLUMNS)
        np.testing.assert_array_equal(fake[mask == 0], target[mask == 0])


def test_rows_of_a_testbed_show_each_method_with_its_target_source_and_mask(tiny_run: TinyRun) -> None:
    records = read_records(tiny_run.seen)
    assert records is not None
    made = forged_rows(tiny_run.seen, records, 2, seed=0)
    assert [name for name, _ in made] == ["alpha_swap, c23"] * 2 + ["faceswap, c23"] * 2
    for _, (target, source, forged, mask, difference) in made:
        assert target.shape == source.shape == forged.shape == difference.shape
        assert 0 < mask.mean() < 0.7
        assert difference[mask > 0.9].mean() > 2 * difference[mask == 0].mean()
        assert np.abs(source.astype(int) - target).mean() > 5


def test_preview_of_a_testbed_is_written(tiny_run: TinyRun, tmp_path: Path) -> None:
    preview(tiny_run.seen, out=tmp_path / "sheet.png", rows=1)
    picture = read_image(tmp_path / "sheet.png")
    assert picture.shape[1] > 1.5 * picture.shape[0]  # two rows, five columns


def test_sheet_of_drawn_faces_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        preview(out=tmp_path / name, seed=seed)
    first, again, other = (read_image(tmp_path / f"{name}.png") for name in "abc")
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape[0] > first.shape[1] > 800  # seven rows, four columns


def test_sheet_of_a_manifests_faces(tmp_path: Path) -> None:
    manifest = write_faces(tmp_path, 3)  # fewer than rows: they come again
    preview(manifest, out=tmp_path / "sheet.png")
    picture = read_image(tmp_path / "sheet.png").astype(int)
    red = (picture[..., 0] > 150) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    assert red.mean() > 0.02


def test_mistakes_are_named_and_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"end it in \.png"):
        preview(out=tmp_path / "sheet")
    with pytest.raises(UserError, match="no real faces with landmarks"):
        preview(write_faces(tmp_path / "bare", 1, with_landmarks=False), out=tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
    (tmp_path / "old.png").write_text("old")
    with pytest.raises(UserError, match="--overwrite"):
        preview(out=tmp_path / "old.png")
    assert (tmp_path / "old.png").read_text() == "old"
