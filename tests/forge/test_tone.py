"""Color, light and detail of inserted faces."""

import cv2
import numpy as np

from difffake.forge.tools.tone import match_color, match_detail, match_light

RNG = np.random.default_rng(0)
MASK = np.zeros((96, 96), np.float32)
MASK[16:80, 16:80] = 1
INSIDE = MASK > 0.5


def texture(mean: tuple[int, int, int], spread: float, blur: float = 0) -> np.ndarray:
    image = RNG.normal(0, spread, (96, 96, 1)) + np.array(mean)
    image = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
    return np.clip(image, 0, 255).astype(np.uint8)


def lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[INSIDE]


def test_at_full_strength_means_and_deviations_are_the_targets() -> None:
    source, target = texture((90, 120, 60), 12), texture((180, 150, 130), 16)
    matched = match_color(source, target, MASK, 1.0)
    np.testing.assert_allclose(lab(matched).mean(axis=0), lab(target).mean(axis=0), atol=0.3)
    np.testing.assert_allclose(lab(matched).std(axis=0), lab(target).std(axis=0), rtol=0.1, atol=0.2)
    half = match_color(source, target, MASK, 0.5)
    middle = (lab(source).mean(axis=0) + lab(target).mean(axis=0)) / 2
    np.testing.assert_allclose(lab(half).mean(axis=0), middle, atol=0.3)
    np.testing.assert_allclose(match_color(source, target, MASK, 0.0), source, atol=0.6)


def test_an_empty_mask_changes_nothing() -> None:
    source, target = texture((90, 120, 60), 12), texture((180, 150, 130), 16)
    nowhere = np.zeros_like(MASK)
    np.testing.assert_array_equal(match_color(source, target, nowhere, 1.0), source)
    np.testing.assert_array_equal(match_detail(source, target, nowhere, RNG), source)


def test_slow_shadows_are_taken_over_and_details_kept() -> None:
    shadow = np.linspace(0.5, 1, 96)[None, :, None]
    source = texture((160, 140, 120), 10)
    target = (np.full((96, 96, 3), 150) * shadow).astype(np.uint8)
    lit = match_light(source, target, MASK, 8, 1.0)
    left, right = lit[40:60, 20:30].mean(), lit[40:60, 66:76].mean()
    assert abs(left - target[40:60, 20:30].mean()) < 6
    assert abs(right - target[40:60, 66:76].mean()) < 6

    def fine(image: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(image.astype(np.float64).mean(axis=2), cv2.CV_64F))[INSIDE].mean())

    assert 0.9 < fine(lit) / fine(source) < 1.1


def strength(image: np.ndarray) -> float:
    image = image.astype(np.float32)
    return float((image - cv2.GaussianBlur(image, (0, 0), 1)).mean(axis=2)[INSIDE].std())


def test_blurred_and_noisy_faces_get_the_targets_detail() -> None:
    target = texture((150, 130, 120), 10)
    blurred = cv2.GaussianBlur(target, (0, 0), 2)
    noisy = texture((150, 130, 120), 25)
    flat = np.full_like(target, 140)
    for face in (blurred, noisy, flat):
        assert abs(strength(face) / strength(target) - 1) > 0.3
        made = match_detail(face, target, MASK, np.random.default_rng(1))
        assert 0.85 < strength(made) / strength(target) < 1.15


def test_grain_differs_from_frame_to_frame() -> None:
    target, flat = texture((150, 130, 120), 10), np.full((96, 96, 3), 140, np.uint8)
    one, two = (match_detail(flat, target, MASK, np.random.default_rng(seed)) for seed in (1, 2))
    assert (one != two).any()
