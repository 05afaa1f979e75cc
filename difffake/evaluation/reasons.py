"""What may make a face hard to judge: its pose, sharpness, size, brightness and compression, measured on the crop."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop

MEASURES = ("turn", "nod", "tilt", "sharpness", "face_size", "brightness")
"""Columns of `measured`."""
EXTREME = 0.9
"""A value is told if it is beyond those of this share of the faces of the data set, or beyond a fixed limit."""
_SIDE = 128  # pixels; sharpness is measured at one size
# Nose tip, chin, outer corners of the eyes, corners of the mouth: the points of a mean head, x to the right in the
# image, y down, z away from the camera; and their numbers among the 68 landmarks.
_POINTS = (30, 8, 36, 45, 48, 54)
_HEAD = np.array(
    [(0, 0, 0), (0, 330, 65), (-225, -170, 135), (225, -170, 135), (-150, 150, 125), (150, 150, 125)], np.float64
)
_HIGH = {
    "turn": ("turned aside by {:.0f}°", "more than", 30),
    "nod": ("looks up or down by {:.0f}°", "more than", 20),
    "tilt": ("tilted by {:.0f}°", "more than", 20),
    "brightness": ("bright ({:.0f} %)", "brighter than", 80),
}
"""What a high value means, the comparison with others, and the value from which on it is told in any data set."""
_LOW = {
    "sharpness": ("blurred", "less sharp than", 20),
    "face_size": ("face of {:.0f} px", "smaller than", 60),
    "brightness": ("dark ({:.0f} %)", "darker than", 15),
}
"""What a low value means, the comparison with others, and the value below which it is told in any data set."""


def head_pose(landmarks: np.ndarray, side: float) -> tuple[float, float, float]:
    """Turn to a side, nod and tilt of a head in degrees, from a rigid mean head: exact to about 10 degrees.

    Args:
        landmarks: (68, 2) in pixels.
        side: side of the image in pixels; the camera's focal length is taken as twice this.
    """
    camera = np.array([[2 * side, 0, side / 2], [0, 2 * side, side / 2], [0, 0, 1]], np.float64)
    points = np.ascontiguousarray(landmarks[list(_POINTS)], np.float64)
    _, rotation, _ = cv2.solvePnP(_HEAD, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    matrix, _ = cv2.Rodrigues(rotation)
    nod = np.degrees(np.arctan2(matrix[2, 1], matrix[2, 2]))
    turn = np.degrees(np.arcsin(np.clip(-matrix[2, 0], -1, 1)))
    tilt = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    return float(turn), float(nod), float(tilt)


def measured(manifest: Manifest, rows: Sequence[int]) -> pd.DataFrame:
    """Measure the crops of rows.

    Args:
        manifest: manifest of the crops.
        rows: numbers of the rows (N,).

    Returns:
        A table with the index `rows` and the columns `MEASURES`: angles in degrees (absolute; nod from the median of
        the data set, because the mean head's own is arbitrary), variance of the Laplacian of a face of 128 px, side of
        the face in pixels of the original image, mean brightness in percent. NaN if landmarks or box are unknown.
    """
    found = []
    for row in rows:
        image = read_crop(manifest.file(row))
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        points, box = manifest.landmarks(row), manifest.table["box"].iat[row]
        pose = head_pose(points, float(image.shape[0])) if points is not None else (np.nan,) * 3
        margin = manifest.table["margin"].iat[row]
        size = (box[2] - box[0]) / (margin if np.isfinite(margin) else 1.0) if isinstance(box, list) else np.nan
        small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        found.append((*pose, cv2.Laplacian(small, cv2.CV_64F).var(), size, gray.mean() / 2.55))
    table = pd.DataFrame(found, columns=list(MEASURES), index=list(rows))
    dataset = manifest.table["dataset"].iloc[list(rows)].to_numpy()
    table["nod"] -= table.groupby(dataset)["nod"].transform("median")
    table[["turn", "nod", "tilt"]] = table[["turn", "nod", "tilt"]].abs()
    return table


def reasons(values: pd.DataFrame, dataset: np.ndarray) -> list[list[str]]:
    """What is unusual in each face, compared with the others of its data set, the most unusual first.

    Args:
        values: table of `measured`, N rows.
        dataset: (N,) names of data sets.

    Returns:
        A list of texts for each row.
    """
    found: list[list[tuple[float, str]]] = [[] for _ in range(len(values))]
    for words, sign in ((_HIGH, 1), (_LOW, -1)):
        for name, (text, than, limit) in words.items():
            known = values[name].to_numpy(np.float64)
            grouped = (sign * values[name]).groupby(dataset)
            # The share of the other faces that are less unusual.
            share = ((grouped.rank(method="min") - 1) / (grouped.transform("count") - 1).clip(lower=1)).to_numpy()
            for place in np.flatnonzero((share >= EXTREME) | (sign * known >= sign * limit)):
                told, rank = text.format(known[place]), float(share[place])
                others = "all others" if rank == 1 else f"{100 * rank:.0f} % of faces"
                found[place].append((rank, f"{told}, {than} {others}" if rank >= EXTREME else told))
    return [[text for _, text in sorted(texts, reverse=True)] for texts in found]
