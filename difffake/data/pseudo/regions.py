"""Which landmarks bound each region of the face (68 points, iBUG order)."""

from collections.abc import Sequence

import numpy as np

from difffake.data.pseudo.config import Hull, Region

_Slices = tuple[tuple[int, int], ...]  # 0-based, end-exclusive

_LOCAL: dict[str, _Slices] = {
    "eyes": ((17, 27), (36, 48), (0, 2), (14, 16)),
    "mouth": ((48, 68), (4, 13), (31, 36)),
    "lower_head": ((1, 16), (29, 31)),
}
_DFL_FULL: tuple[_Slices, ...] = (
    ((0, 17), (48, 68)),  # jaw and mouth
    ((27, 31), (33, 34)),  # nose ridge
    ((17, 27), (0, 1), (27, 28), (16, 17), (33, 34)),  # eyes and brows
)
_COMPONENTS: tuple[_Slices, ...] = (
    ((0, 9), (17, 18)),  # jaw, left in the image
    ((8, 17), (26, 27)),  # jaw, right
    ((17, 20), (8, 9)),  # cheek, left
    ((24, 27), (8, 9)),  # cheek, right
    ((19, 25), (8, 9)),  # nose ridge
    ((17, 22), (27, 28), (31, 36), (8, 9)),  # eye, left
    ((22, 27), (27, 28), (31, 36), (8, 9)),  # eye, right
    ((27, 31), (31, 36)),  # nose
)


def region_parts(landmarks: np.ndarray, region: Region, hull: Hull | None) -> list[np.ndarray]:
    """Point sets (N_i, 2) whose convex hulls, united, are the region of `landmarks` (68, 2), in pixels.

    `hull` says how a whole face is bounded and is None for the other regions. Source: DiffFake's code, which took
    the whole-face hulls from faceswap. Its `extended` hull lacks the two cheeks, which lie inside the eyes' parts.
    It cuts landmarks off to whole pixels; here they keep their fractions.
    """
    if region != "face":
        return [_take(landmarks, _LOCAL[region])]
    if hull == "facehull":
        return [landmarks]
    if hull == "dfl_full":
        return [_take(landmarks, part) for part in _DFL_FULL]
    points = raise_brows(landmarks) if hull == "extended" else landmarks
    return [_take(points, part) for part in _COMPONENTS]


def raise_brows(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (68, 2) with the brows moved up by half of their distance from the upper lids.

    Each brow has five points, its upper lid four; the fifth, beyond the outer corner, is a quarter of the way from
    the corner to the jaw's end.
    """
    raised = landmarks.copy()
    left_end = landmarks[36] + (landmarks[0] - landmarks[36]) / 4
    right_end = landmarks[45] + (landmarks[16] - landmarks[45]) / 4
    left_lid = np.concatenate([left_end[None], landmarks[36:40]])
    right_lid = np.concatenate([landmarks[42:46], right_end[None]])
    raised[17:22] += (landmarks[17:22] - left_lid) / 2
    raised[22:27] += (landmarks[22:27] - right_lid) / 2
    return raised


def _take(landmarks: np.ndarray, slices: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.concatenate([landmarks[start:end] for start, end in slices])
