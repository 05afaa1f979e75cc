"""The rows of contact sheets of pseudo-deepfakes and of forgeries."""

import numpy as np
from tiny import TinyRun

from difffake.data.records import read_records
from difffake.evaluation.preview import KINDS, PSEUDO_COLUMNS, drawn_faces, forged_rows, pseudo_rows
from difffake.faces.images import read_image


def test_rows_are_every_hull_and_region_once() -> None:
    assert [hull or region for region, hull in KINDS] == [
        "facehull", "dfl_full", "components", "extended", "eyes", "mouth", "lower_head",
    ]  # fmt: skip


def test_rows_of_pseudo_deepfakes_are_named_after_region_and_hull() -> None:
    made = pseudo_rows(drawn_faces(seed=0), seed=0)
    assert [name for name, _ in made][3:5] == ["face: hull extended\ndrawn face 4", "eyes\ndrawn face 5"]
    assert made[-1][0] == "coarse blend\nface: hull components\ndrawn face 1"
    for _, pictures in made:
        target, _, mask, fake = pictures
        assert len(pictures) == len(PSEUDO_COLUMNS)
        np.testing.assert_array_equal(fake[mask == 0], target[mask == 0])


def test_rows_of_a_testbed_show_each_method_with_its_target_source_and_mask(tiny_run: TinyRun) -> None:
    records = read_records(tiny_run.seen)
    assert records is not None
    made = forged_rows(tiny_run.seen, records, 2, seed=0)
    assert [name.split("\n")[0] for name, _ in made] == ["alpha_swap, c23"] * 2 + ["faceswap, c23"] * 2
    for name, pictures in made:
        method, file = name.replace("\n", "").split(", c23")
        np.testing.assert_array_equal(read_image(tiny_run.seen / "crops" / "c23" / method / file), pictures[2])
    for _, (target, source, forged, mask, difference) in made:
        assert target.shape == source.shape == forged.shape == difference.shape
        assert 0 < mask.mean() < 0.7
        assert difference[mask > 0.9].mean() > 2 * difference[mask == 0].mean()
        assert np.abs(source.astype(int) - target).mean() > 5
