"""What makes a face hard to judge."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from difffake.data.manifest import Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.evaluation.reasons import _HEAD, _POINTS, head_pose, measured, reasons
from difffake.faces.images import write_png


@pytest.mark.parametrize(
    ("turn", "nod", "tilt"), [(0, 0, 0), (30, 0, 0), (-25, 0, 0), (0, 20, 0), (0, 0, 15), (20, -10, 5)]
)
def test_a_head_that_was_turned_is_recognized(turn: float, nod: float, tilt: float) -> None:
    y, x, z = np.radians([turn, nod, tilt])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    points = _HEAD @ (about_z @ about_y @ about_x).T + [0, 0, 2500]
    landmarks = np.zeros((68, 2))
    landmarks[list(_POINTS)] = 400 * points[:, :2] / points[:, 2:] + 100
    assert head_pose(landmarks, 200.0) == pytest.approx((turn, nod, tilt), abs=0.1)


@pytest.fixture
def faces(tmp_path: Path) -> Manifest:
    """Twelve drawn faces; the first is blurred, the second dark, the third small in its image, the rest as drawn."""
    rows = []
    for number in range(12):
        image, landmarks = render_face(Identity.sample(np.random.default_rng(number)), size=96)
        image = cv2.GaussianBlur(image, (0, 0), 6) if number == 0 else image // 4 if number == 1 else image
        write_png(tmp_path / f"{number}.png", image)
        side = 40 if number == 2 else 200 + number
        row = dict.fromkeys(("video", "identity", "source", "target", "compression"), "")
        row |= {"path": f"{number}.png", "dataset": "drawn", "split": "test", "method": "real", "label": 0, "frame": 0}
        rows.append(row | {"margin": 1.3, "box": [0, 0, side, side], "landmarks": landmarks.ravel().tolist()})
    return Manifest(pd.DataFrame(rows), tmp_path)


def test_what_is_unusual_is_told_with_its_value(faces: Manifest) -> None:
    values = measured(faces, range(12))
    assert values["sharpness"].idxmin() == 0
    assert values["brightness"].idxmin() == 1
    assert values.loc[2, "face_size"] == pytest.approx(40 / 1.3)
    found = reasons(values, faces.table["dataset"].to_numpy())
    assert "blurred, less sharp than all others" in found[0]
    assert f"dark ({values.loc[1, 'brightness']:.0f} %), darker than all others" in found[1]
    assert "face of 31 px, smaller than all others" in found[2]
    assert not any("smaller" in text for text in found[3])


def test_unknown_and_equal_values_give_no_reason(faces: Manifest) -> None:
    unknown = Manifest(faces.table.assign(box=None, landmarks=None), faces.root)
    values = measured(unknown, range(12))
    assert values[["turn", "nod", "tilt", "face_size"]].isna().all(axis=None)
    texts = " ".join(text for part in reasons(values, np.full(12, "drawn")) for text in part)
    assert "turned" not in texts
    assert "px" not in texts
    equal = values.assign(brightness=50.0, sharpness=90.0)
    assert reasons(equal, np.full(12, "drawn")) == [[]] * 12
    turned = equal.assign(turn=35.0)  # all alike, but a hard pose anywhere
    assert reasons(turned, np.full(12, "drawn")) == [["turned aside by 35°"]] * 12
