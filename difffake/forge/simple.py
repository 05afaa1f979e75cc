"""Four simple forgeries of a face, each with the traces of a published family, without any network.

Every function takes `(target, target_landmarks, source, source_landmarks, rng)`: images (H, W, 3) uint8 RGB of any
two sizes, landmarks (68, 2) in iBUG order and pixels of their image. It returns the forged target, (H, W, 3) uint8,
and the mask of what was changed, (H, W) float32 in [0, 1]; where the mask is 0 the target's pixels are untouched.
A clip is forged with one setting by giving every frame an equal `rng`.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.errors import UserError

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]
Points = NDArray[np.floating]
Forgery = Callable[[Image, Points, Image, Points, np.random.Generator], tuple[Image, Mask]]

_INNER = np.arange(17, 68)
_LOWER = np.r_[48:68, 4:13, 31:36]
"""The mouth region of the pseudo-deepfakes (DiffFake, arXiv 2502.16247)."""


def paste(
    target: Image, target_landmarks: Points, source: Image, source_landmarks: Points, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Source's face, aligned, coloured like the target and blended with a soft edge.

    Stands for graphics-based swaps (FaceSwap in FaceForensics++, arXiv 1901.08971): traces are the blending
    boundary, another skin texture and light from another side.
    """
    _check(target_landmarks, source_landmarks)
    aligned, present = _aligned(source, source_landmarks, target_landmarks, target.shape, _INNER)
    region = _hull(_face_region(target_landmarks, rng.uniform(0.82, 0.94)), target.shape)
    mask = _soften(cv2.min(region, present), rng.uniform(0.04, 0.08) * _face_width(target_landmarks))
    matched = _match_colour(aligned, target, mask, rng.uniform(0.6, 0.95))
    return _blend(target, matched, mask), mask


def poisson(
    target: Image, target_landmarks: Points, source: Image, source_landmarks: Points, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Source's face, aligned and cloned with gradients kept (Perez et al., Poisson image editing, 2003).

    Stands for swaps with Poisson blending (Celeb-DF and DeepFaceLab settings): no visible seam, but colours that
    bleed in from the edge, and the source's texture. The mask is 0 or 1.
    """
    _check(target_landmarks, source_landmarks)
    aligned, present = _aligned(source, source_landmarks, target_landmarks, target.shape, _INNER)
    region = _hull(_face_region(target_landmarks, rng.uniform(0.74, 0.88)), target.shape)
    region = cv2.min(region, present)
    # The equation needs the target's colours on all sides of the region.
    region[:2] = region[-2:] = 0
    region[:, :2] = region[:, -2:] = 0
    mask = (region > 127).astype(np.float32)
    if not mask.any():
        return target.copy(), mask
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    centre = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(aligned, target, (255 * mask).astype(np.uint8), centre, cv2.NORMAL_CLONE)
    return _blend(target, cloned.astype(np.float32), mask), mask


def smooth(
    target: Image, target_landmarks: Points, source: Image, source_landmarks: Points, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Target's own face through a narrow bottleneck and blended back; the source is not used.

    Stands for what a small autoencoder leaves (Deepfakes in FaceForensics++; face warping artefacts, Li and Lyu,
    arXiv 1811.00656): fewer details and slightly other tones than the surroundings.
    """
    _check(target_landmarks)
    face = _face_width(target_landmarks)
    height, width = target.shape[:2]
    # As if the face had been generated this many pixels wide.
    scale = min(1.0, rng.uniform(40, 56) / face)
    low = cv2.resize(
        target, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    low = cv2.bilateralFilter(low, 5, rng.uniform(8, 16), 1.5)
    redrawn = cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    redrawn = (redrawn - 128) * rng.uniform(0.95, 1.03) + 128 + rng.normal(0, 2.0, 3)
    region = _hull(_face_region(target_landmarks, rng.uniform(0.82, 0.94)), target.shape)
    mask = _soften(region, rng.uniform(0.04, 0.08) * face)
    return _blend(target, redrawn, mask), mask


def mouth(
    target: Image, target_landmarks: Points, source: Image, source_landmarks: Points, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Source's mouth and lower face, aligned, coloured like the target and blended with a soft edge.

    Stands for reenactment and lip synchronisation (Face2Face, NeuralTextures, Wav2Lip): only the lower face is
    forged, and its expression does not belong to the rest.
    """
    _check(target_landmarks, source_landmarks)
    aligned, present = _aligned(source, source_landmarks, target_landmarks, target.shape, _LOWER)
    region = _hull(_face_region(target_landmarks, rng.uniform(0.8, 0.92))[_LOWER], target.shape)
    mask = _soften(cv2.min(region, present), rng.uniform(0.04, 0.08) * _face_width(target_landmarks))
    matched = _match_colour(aligned, target, mask, rng.uniform(0.7, 1.0))
    return _blend(target, matched, mask), mask


SIMPLE_FORGERIES: dict[str, Forgery] = {"paste": paste, "poisson": poisson, "smooth": smooth, "mouth": mouth}
SOURCELESS = frozenset({"smooth"})
"""Forgeries that take nothing from the source: their source is the target itself."""


def _check(*landmarks: Points) -> None:
    for points in landmarks:
        if np.shape(points) != (68, 2) or not np.isfinite(points).all():
            raise UserError(f"a forgery needs 68 landmarks (68, 2), not {np.shape(points)}: prepare the faces again")


def _face_width(landmarks: Points) -> float:
    return float(np.linalg.norm(landmarks[16] - landmarks[0]))


def _face_region(landmarks: Points, inwards: float) -> Points:
    """The 68 landmarks with the jaw drawn in towards the nose, so that chin and cheeks' edges stay the target's."""
    region = np.array(landmarks, dtype=np.float64)
    region[:17] = region[30] + inwards * (region[:17] - region[30])
    return region


def _hull(points: Points, shape: tuple[int, ...]) -> Image:
    filled = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(np.round(points * 16).astype(np.int32))
    cv2.fillConvexPoly(filled, outline, 255, cv2.LINE_AA, 4)
    return filled


def _soften(region: Image, feather: float) -> Mask:
    """Region (0 or 255) with an edge that fades on its inner side: 0 outside, 1 deep inside."""
    reach = max(feather, 0.5)
    inner = cv2.erode(region, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(reach) + 1,) * 2))
    soft = cv2.GaussianBlur(inner.astype(np.float32) / 255, (0, 0), reach / 2)
    soft[region == 0] = 0
    return np.minimum(soft, 1)  # the kernel's weights add up to 1 only nearly


def _aligned(
    source: Image, source_landmarks: Points, target_landmarks: Points, shape: tuple[int, ...], at: NDArray[np.integer]
) -> tuple[Image, Image]:
    """Source, moved by the affine map that fits its landmarks `at` to the target's; and where its face is, as 255."""
    size = (shape[1], shape[0])
    here = np.column_stack([source_landmarks[at], np.ones(len(at))])
    affine = np.linalg.lstsq(here, np.asarray(target_landmarks[at], np.float64), rcond=None)[0].T
    moved = cv2.warpAffine(source, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    # Faces differ in width and turn: without this, what is behind the source would come along.
    face = _hull(_face_region(source_landmarks, 0.94), source.shape)
    return moved, cv2.warpAffine(face, affine, size, flags=cv2.INTER_NEAREST)


def _match_colour(moved: Image, target: Image, mask: Mask, strength: float) -> NDArray[np.float32]:
    """`moved` with means and deviations of its Lab channels under the mask `strength` of the way to the target's.

    Reinhard et al., Color transfer between images, 2001.
    """
    inside = mask > 0.5
    if not inside.any():
        return moved.astype(np.float32)
    lab, wanted = (cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (moved, target))
    mean, deviation = lab[inside].mean(axis=0), lab[inside].std(axis=0)
    # A flat patch has no deviation to match; stretching beyond 2 would only amplify noise.
    gain = np.clip(wanted[inside].std(axis=0) / np.maximum(deviation, 1e-3), 0.5, 2)
    matched = (lab - mean) * gain + wanted[inside].mean(axis=0)
    mixed = (lab + strength * (matched - lab)).astype(np.float32)
    return cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB) * 255


def _blend(target: Image, forged: NDArray[np.float32], mask: Mask) -> Image:
    alpha = mask[..., None]
    return np.clip(np.round(target + alpha * (forged - target.astype(np.float32))), 0, 255).astype(np.uint8)
