"""The landmarks that bound each region of the face (68 points, iBUG order)."""

import numpy as np

from difffake.data.pseudo.config import Hull, Region

# Indices of landmarks, 0-based, slices end-exclusive.
_LOCAL: dict[str, np.ndarray] = {
    "eyes": np.r_[17:27, 36:48, 0:2, 14:16],
    "mouth": np.r_[48:68, 4:13, 31:36],
    "lower_head": np.r_[1:16, 29:31],
}
_DFL_FULL: tuple[np.ndarray, ...] = (
    np.r_[0:17, 48:68],  # jaw and mouth
    np.r_[27:31, 33],  # nose ridge
    np.r_[17:27, 0, 27, 16, 33],  # eyes and brows
)
_COMPONENTS: tuple[np.ndarray, ...] = (
    np.r_[0:9, 17],  # jaw, left in the image
    np.r_[8:17, 26],  # jaw, right
    np.r_[17:20, 8],  # cheek, left
    np.r_[24:27, 8],  # cheek, right
    np.r_[19:25, 8],  # nose ridge
    np.r_[17:22, 27, 31:36, 8],  # eye, left
    np.r_[22:27, 27, 31:36, 8],  # eye, right
    np.r_[27:31, 31:36],  # nose
)


def region_parts(landmarks: np.ndarray, region: Region, hull: Hull | None) -> list[np.ndarray]:
    """Point sets of a region; the region is the union of their convex hulls.

    Source: DiffFake's code, which has the whole-face hulls from faceswap. The `extended` hull there lacks the two
    cheeks, which are inside the parts of the eyes. That code truncates landmarks to whole pixels; here they keep their
    fractions.

    Args:
        landmarks: (68, 2) in pixels.
        region: the region.
        hull: the hull of a whole face; None for other regions.

    Returns:
        Point sets (N_i, 2) in pixels.
    """
    if region != "face":
        return [landmarks[_LOCAL[region]]]
    if hull == "facehull":
        return [landmarks]
    if hull == "dfl_full":
        return [landmarks[part] for part in _DFL_FULL]
    points = raise_brows(landmarks) if hull == "extended" else landmarks
    return [points[part] for part in _COMPONENTS]


def raise_brows(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (68, 2) with the brows moved up by half of their distance from the upper lids.

    Each brow has five points, but its upper lid has only four. So a fifth point beyond the outer corner of the eye is
    used: a quarter of the way from the corner to the end of the jaw.
    """
    raised = landmarks.copy()
    left_end = landmarks[36] + (landmarks[0] - landmarks[36]) / 4
    right_end = landmarks[45] + (landmarks[16] - landmarks[45]) / 4
    left_lid = np.concatenate([left_end[None], landmarks[36:40]])
    right_lid = np.concatenate([landmarks[42:46], right_end[None]])
    raised[17:22] += (landmarks[17:22] - left_lid) / 2
    raised[22:27] += (landmarks[22:27] - right_lid) / 2
    return raised
