"""The contact sheet of pseudo-deepfakes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difffake.data.images import read_image, write_png
from difffake.data.manifest import COLUMNS, Manifest
from difffake.data.preview import ROWS, preview, sheet
from difffake.data.procedural import render_face
from difffake.data.procedural_people import Identity
from difffake.data.pseudo import PseudoDeepfake
from difffake.errors import UserError
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


def test_sheet_shows_target_source_mask_and_result_under_their_names() -> None:
    pictures = [np.full((64, 64, 3), level, np.uint8) for level in (10, 20, 30)]
    made = PseudoDeepfake(*pictures, np.ones((64, 64), np.float32), 0.5, "face", "extended")
    axes = sheet([made]).axes
    assert [axis.get_title() for axis in axes] == ["target (real)", "source", "mask", "result (fake)"]
    assert [np.unique(axis.images[0].get_array()).tolist() for axis in axes] == [[20], [30], [0.5], [10]]
    assert axes[0].get_ylabel() == "face: extended"


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
