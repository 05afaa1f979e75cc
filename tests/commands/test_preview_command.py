"""The command `preview`: the sheet that it writes, and what it says."""

from pathlib import Path

import pandas as pd
import pytest
from tiny import TinyRun

from difffake.commands.preview import preview
from difffake.data.manifest import COLUMNS, Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
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


def test_preview_of_a_testbed_is_written_and_says_how_many_of_what(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preview(tiny_run.seen, out=tmp_path / "sheet.png", rows=1)
    picture = read_image(tmp_path / "sheet.png")
    assert picture.shape[1] > 1.5 * picture.shape[0]  # two rows, five columns
    said = " ".join(capsys.readouterr().err.split()).replace(" ", "")
    assert f"{tmp_path}/sheet.png:2of96forgeriesin{tiny_run.seen}(alpha_swapc231,faceswapc231)" in said


def test_sheet_of_drawn_faces_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        preview(out=tmp_path / name, seed=seed)
    first, again, other = (read_image(tmp_path / f"{name}.png") for name in "abc")
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape[0] > first.shape[1] > 800  # seven rows, four columns


def test_sheet_of_a_manifests_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_faces(tmp_path, 3)  # fewer than rows: they come again
    preview(manifest, out=tmp_path / "sheet.png")
    said = " ".join(capsys.readouterr().err.split())
    assert (
        f"8 pseudo-deepfakes of the real faces in {tmp_path.name}, one of each of 7 regions and hulls, one coarse"
        in said
    )
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
