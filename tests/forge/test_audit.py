"""The check for trivial cues, on testbeds with and without one."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from difffake.commands.main import main
from difffake.data.manifest import COLUMNS, Manifest
from difffake.errors import UserError
from difffake.forge.audit import held_out_auc
from difffake.forge.shortcuts import CUES, cues, find_shortcuts

Change = Callable[[np.ndarray], np.ndarray]


def blurred(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def reddened(image: np.ndarray) -> np.ndarray:
    return np.clip(image + np.array([0, 0, 200.0]), 0, 255).astype(np.uint8)


def write_testbed(root: Path, change: Change, suffix: str = ".png", people: int = 30) -> Path:
    """Noise pictures of several people, two each, and a fake of each: `change` of it."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(people):
        for picture in range(2):
            small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image = cv2.resize(small, (48, 48)).astype(float) + rng.normal(0, rng.uniform(4, 9), (48, 48, 3))
            real = np.clip(image, 0, 255).astype(np.uint8)
            for label, method, shown in ((0, "real", real), (1, "m", change(real))):
                name = f"{method}{person}-{picture}" + (".png" if label == 0 else suffix)
                cv2.imwrite(str(root / name), shown)
                row: dict[str, object] = dict.fromkeys(COLUMNS, "")
                row |= {
                    "path": name,
                    "dataset": "d",
                    "split": "test",
                    "label": label,
                    "method": method,
                    "frame": 0,
                    "track": 0,
                }
                row |= {"identity": str(person), "target": f"{person}-{picture}", "box": None, "landmarks": None}
                rows.append(row)
    Manifest(pd.DataFrame(rows), root).write(root / "manifest.parquet")
    return root


def mirrored(image: np.ndarray) -> np.ndarray:
    """Which none of the cues sees."""
    return image[:, ::-1]


def test_cues_are_what_they_are_called(tmp_path: Path) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:] = (10, 20, 30)  # BGR
    image[4:-4, 4:-4] = (110, 120, 130)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    found = dict(zip(CUES, cues(tmp_path / "a.png"), strict=True))
    assert found["border red"] == pytest.approx(30)
    assert found["border blue"] == pytest.approx(10)
    assert found["red"] == pytest.approx(30 + 100 * (56 / 64) ** 2)
    assert np.exp(found["file size"]) == pytest.approx((tmp_path / "a.png").stat().st_size)
    assert found["quantization"] == 0
    cv2.imwrite(str(tmp_path / "sharp.png"), np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    assert cues(tmp_path / "sharp.png")[CUES.index("sharpness")] > found["sharpness"]
    tables = []
    for quality in (90, 40):
        cv2.imwrite(str(tmp_path / f"{quality}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        tables.append(cues(tmp_path / f"{quality}.jpg")[CUES.index("quantization")])
    assert 0 < tables[0] < tables[1]


def test_people_are_held_out() -> None:
    # The label is a fact of the person, which no cue of other people tells.
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 10)
    values = rng.normal(size=(40, 6))[person] + 0.01 * rng.normal(size=(400, 6))
    label = rng.integers(0, 2, 40)[person]
    assert abs(held_out_auc(values, label, person.astype(str))[0] - 0.5) < 0.2
    values[:, 0] += 3 * label
    assert held_out_auc(values, label, person.astype(str))[0] > 0.9


@pytest.mark.parametrize(
    ("change", "suffix", "cues_that_tell"),
    [
        (blurred, ".png", {"sharpness", "border sharpness", "file size"}),
        (
            lambda image: np.clip(image + np.array([0, 0, 200.0]), 0, 255).astype(np.uint8),
            ".png",
            {"red", "border red", "file size"},
        ),
        (lambda image: image, ".jpg", {"quantization", "file size"}),
    ],
    ids=["blurred", "red", "jpeg"],
)
def test_planted_shortcuts_are_found(tmp_path: Path, change: Change, suffix: str, cues_that_tell: set[str]) -> None:
    (found,) = find_shortcuts(Manifest.read(write_testbed(tmp_path, change, suffix)), workers=1, seed=0)
    assert found.auc > 0.9
    assert found.low > 0.7
    assert (found.n_real, found.n_fake, found.method) == (60, 60, "m")
    assert found.strongest in cues_that_tell
    assert found.strongest_auc > 0.8


def test_the_command_fails_on_shortcuts_and_passes_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, change, code in (("bad", blurred, 1), ("good", mirrored, 0)):
        (tmp_path / name).mkdir()
        root = write_testbed(tmp_path / name, change)
        assert main(["forge", "--manifest", str(root), "--check", "--workers", "1"]) == code
        assert ("do not train" in capsys.readouterr().err) == bool(code)
        assert not (root / "shortcuts.json").exists()  # another's folder is left as it is


def test_few_people_have_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_testbed(tmp_path, mirrored, people=3)
    main(["forge", "--manifest", str(root), "--check", "--workers", "1"])
    said = capsys.readouterr()
    assert "nan" not in said.out
    assert re.search(r"m +6 +6 +0\.\d{3} +(unsure|too high) +\w", said.out)
    assert ("too few people to be sure" in said.err) == ("unsure" in said.out)


def test_a_manifest_without_fakes_cannot_be_checked(tmp_path: Path) -> None:
    root = write_testbed(tmp_path, blurred, people=3)
    manifest = Manifest.read(root)
    with pytest.raises(UserError, match="needs real faces and fakes"):
        find_shortcuts(manifest.select(label=0), 1, 0)
    one = Manifest(manifest.table[manifest.table["identity"] == "0"], root)
    with pytest.raises(UserError, match="at least two people"):
        find_shortcuts(one, 1, 0)
    assert json.dumps(find_shortcuts(manifest, 1, 0)[0]._asdict())


def test_fakes_of_one_person_alone_cannot_be_held_out(tmp_path: Path) -> None:
    manifest = Manifest.read(write_testbed(tmp_path, blurred, people=6))
    table = manifest.table
    alone = Manifest(table[(table["label"] == 0) | (table["identity"] == "0")], tmp_path)
    with pytest.raises(UserError, match="too few people"):
        find_shortcuts(alone, 1, 0)


def test_only_faces_of_the_same_compression_are_compared(tmp_path: Path) -> None:
    manifest = Manifest.read(write_testbed(tmp_path, blurred, people=6))
    table = manifest.table
    unknown = Manifest(table.assign(compression=np.where(table["label"] == 1, "c23", "")), tmp_path)
    assert find_shortcuts(unknown, 1, 0)[0].compression == "c23"
    other = Manifest(table.assign(compression=np.where(table["label"] == 1, "c23", "c40")), tmp_path)
    with pytest.raises(UserError, match="no real face of its data set has its compression c23"):
        find_shortcuts(other, 1, 0)
