"""The audit of what lies outside the forged region."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from masked import write_masked_testbed

from difffake.data.manifest import COLUMNS, Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.faces.images import write_png
from difffake.forge.findings import audit_outside
from difffake.forge.outside import GAP, LIMIT, NUMBERS, find_outside, outside_numbers, outside_of, verdict


def test_noise_outside_the_mask_is_found(tmp_path: Path) -> None:
    ((found,), left_out) = find_outside([write_masked_testbed(tmp_path, outside_noise=6)], 1, 0)
    assert found.name == "m c23"
    assert (found.n_real, found.n_fake) == (48, 48)
    assert found.auc > 0.9
    assert found.low > LIMIT
    assert verdict(found) == "too high"
    assert not left_out
    (finding,) = audit_outside([write_masked_testbed(tmp_path, outside_noise=6)], 1, 0).findings
    assert str(finding).startswith("warning: outside the mask: m c23: too high, AUC ")


def test_what_is_inside_alone_is_not_seen(tmp_path: Path) -> None:
    ((found,), _) = find_outside([write_masked_testbed(tmp_path, outside_noise=0)], 1, 0)
    assert found.auc == 0.5
    assert verdict(found) == "ok"


def test_an_uncertain_value_above_the_limit_is_called_unsure(tmp_path: Path) -> None:
    ((found,), _) = find_outside([write_masked_testbed(tmp_path, outside_noise=0)], 1, 0)
    assert verdict(found._replace(auc=0.55, low=0.45)) == "unsure"
    assert verdict(found._replace(auc=0.55, low=float("nan"))) == "unsure"
    assert verdict(found._replace(auc=0.55, low=0.51)) == "too high"


def test_pseudo_deepfakes_tell_nothing_outside(tmp_path: Path) -> None:
    rows = []
    for number in range(24):
        image, landmarks = render_face(Identity.sample(np.random.default_rng(number)), size=96)
        write_png(tmp_path / f"{number}.png", image)
        row: dict[str, object] = dict.fromkeys(COLUMNS, "")
        row |= {
            "path": f"{number}.png",
            "dataset": "d",
            "split": "test",
            "label": 0,
            "method": "real",
            "frame": 0,
            "track": 0,
        }
        rows.append(row | {"identity": str(number), "box": None, "landmarks": landmarks.ravel().tolist()})
    manifest = Manifest(pd.DataFrame(rows), tmp_path)
    found, _ = find_outside([manifest], 1, 0)
    assert {row.method for row in found} <= {"pseudo face", "pseudo eyes", "pseudo mouth", "pseudo lower head"}
    assert [row.auc for row in found] == pytest.approx([0.5] * len(found))
    assert repr(find_outside([manifest], 1, 0)[0]) == repr(found)
    with pytest.raises(UserError, match="nothing has a mask"):
        find_outside([Manifest(manifest.table.assign(landmarks=None), tmp_path)], 1, 0)


def test_numbers_see_no_pixel_inside() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    outside = np.ones((64, 64), dtype=bool)
    outside[20:40, 10:50] = False
    before = outside_numbers(image, outside)
    image[20:40, 10:50] = rng.integers(0, 256, (20, 40, 3))
    assert outside_numbers(image, outside).tolist() == before.tolist()
    image[45, 45] = 0
    assert outside_numbers(image, outside).tolist() != before.tolist()


def test_numbers_are_what_they_are_called() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    whole = np.ones((64, 64), dtype=bool)
    flat = dict(zip(NUMBERS, outside_numbers(image, whole), strict=True))
    assert flat["red"] == 100
    assert flat["red spread"] == flat["blocks across"] == 0
    assert flat["equal neighbors"] == 1
    image[:, 8:16] = 120
    blocky = dict(zip(NUMBERS, outside_numbers(image, whole), strict=True))
    assert blocky["blocks across"] > 1 > blocky["blocks down"]
    assert blocky["detail across"] > flat["detail across"]
    assert blocky["detail down"] == flat["detail down"]


def test_a_gap_around_the_mask_is_left_out() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[30:34, 30:34] = 1
    outside = outside_of(mask)
    assert outside is not None
    assert (~outside).sum() == (4 + 2 * GAP) ** 2
    assert outside_of(np.ones((64, 64), np.uint8)) is None
