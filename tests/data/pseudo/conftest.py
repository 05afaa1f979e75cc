"""A face's 68 landmarks, laid out by hand in a 250 px crop."""

import numpy as np
import pytest


def layout() -> np.ndarray:
    """(68, 2) landmarks: jaw a half ellipse, straight brows, eyes, nose and mouth, symmetric about x = 125."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([125 + 80 * np.cos(angle), 110 + 100 * np.sin(angle)], axis=1)
    brows = [(x, 85) for x in (60, 72, 84, 96, 108)] + [(x, 85) for x in (142, 154, 166, 178, 190)]
    ridge = [(125, y) for y in (105, 118, 131, 144)]
    base = [(x, 150) for x in (109, 117, 125, 133, 141)]
    left = [(70, 110), (80, 104), (92, 104), (102, 110), (92, 116), (80, 116)]
    right = [(148, 110), (158, 104), (170, 104), (180, 110), (170, 116), (158, 116)]
    turn = np.arange(12) * np.pi / 6
    outer = [(125 - 30 * np.cos(t), 178 - 12 * np.sin(t)) for t in turn]
    inner = [(125 - 20 * np.cos(t), 178 - 5 * np.sin(t)) for t in np.arange(8) * np.pi / 4]
    return np.concatenate([jaw, brows, ridge, base, left, right, outer, inner]).astype(np.float64)


@pytest.fixture
def landmarks() -> np.ndarray:
    return layout()


@pytest.fixture
def image() -> np.ndarray:
    """(250, 250, 3) uint8 with smooth colors and some grain."""
    y, x = np.mgrid[0:250, 0:250]
    smooth = np.stack([120 + 60 * np.sin(x / 40), 110 + 50 * np.cos(y / 30), 90 + 0.3 * x], axis=-1)
    grain = np.random.default_rng(0).normal(0, 4, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)
