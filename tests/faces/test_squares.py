"""Squares around faces, tiles, and boxes that show the same face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difffake.faces.squares import SMALLEST_SHARE, distinct, pyramid, same_face, square_box, tile_sides, tiles


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 40, 60, 60), (37, 37, 63, 63)),  # 20 px times 1.3 around the middle
        ((40, 30, 50, 50), (32, 27, 58, 53)),  # the longer side counts
        ((0, 40, 20, 60), (0, 37, 26, 63)),  # moved inwards, not cut
        ((90, 90, 120, 120), (61, 61, 100, 100)),
        ((0, 0, 100, 100), (0, 0, 100, 100)),  # larger than the image: as large as it goes
    ],
)
def test_crop_box_is_square_and_inside(box: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert square_box(np.array(box, dtype=float), 1.3, 100, 100) == expected


def test_tiles_by_hand() -> None:
    assert list(tiles(100, 100, 100, 0)) == [(0, 0, 100, 100)]
    assert list(tiles(60, 160, 100, 40)) == [(0, 0, 100, 60), (60, 0, 160, 60)]  # no higher than the image
    assert list(tiles(100, 161, 100, 40)) == [(0, 0, 100, 100), (30, 0, 130, 100), (61, 0, 161, 100)]
    assert tile_sides(900, 1600, 400 * SMALLEST_SHARE) == pytest.approx([1600, 800, 400])
    assert tile_sides(300, 400, 64) == [400]


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(100, 2200),
    width=st.integers(100, 3900),
    smallest=st.sampled_from([40, 64]),
    size=st.floats(0, 1),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_every_face_lies_whole_in_a_tile_that_shows_it_large_enough(
    height: int, width: int, smallest: int, size: float, corner: tuple[float, float]
) -> None:
    """Of every size from the smallest to the image's own, at every place."""
    side = smallest + size * (min(height, width) - smallest)
    x0, y0 = corner[0] * (width - side), corner[1] * (height - side)
    for left, top, right, bottom in pyramid(height, width, smallest):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        # Rounding of a tile's corner may cut a pixel off.
        inside = left <= x0 + 1 and top <= y0 + 1 and x0 + side <= right + 1 and y0 + side <= bottom + 1
        if inside and side >= 0.99 * SMALLEST_SHARE * max(right - left, bottom - top):
            break
    else:
        pytest.fail(f"no tile shows a face of {side:.1f} px at {x0:.1f}, {y0:.1f}")


def test_boxes_of_the_same_face() -> None:
    box = np.array([10.0, 10, 30, 30])
    others = np.array([[12.0, 12, 32, 32], [15, 15, 20, 20], [25, 10, 45, 30], [0, 0, 100, 100], [50, 50, 60, 60]])
    assert same_face(box, others).tolist() == [True, True, False, True, False]
    boxes = np.concatenate([box[None], others[[0, 2]]])
    assert distinct(boxes, np.array([0.5, 0.9, 0.4])).tolist() == [1, 2]
    assert distinct(boxes, np.array([0.9, 0.5, 0.4])).tolist() == [0, 2]
    assert distinct(np.zeros((0, 4)), np.zeros(0)).tolist() == []
