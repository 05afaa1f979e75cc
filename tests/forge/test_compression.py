"""The compression chain that real and forged faces share."""

import numpy as np
import pytest
from faces import drawn

from difffake.drawn.people import Pose
from difffake.forge.tools.compression import CRF, compress

CLIP = [drawn(0, pose=Pose(yaw=yaw)).image for yaw in np.linspace(-0.1, 0.1, 7)]


def error(compression: str, frames: list[np.ndarray]) -> float:
    back = compress(frames, CRF[compression])
    assert len(back) == len(frames)
    assert all(a.shape == b.shape and a.dtype == np.uint8 for a, b in zip(back, frames, strict=True))
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(back, frames, strict=True)]))


@pytest.mark.parametrize("frames", [CLIP, CLIP[:1]], ids=["clip", "still"])
def test_stronger_compression_loses_more_and_raw_nothing(frames: list[np.ndarray]) -> None:
    assert error("raw", frames) == 0
    assert 0.2 < error("c23", frames) < error("c40", frames) < 15


def test_the_order_of_frames_is_kept() -> None:
    back = compress(CLIP, CRF["c23"])
    distance = np.array([[np.abs(a.astype(int) - b).mean() for b in CLIP] for a in back])
    assert distance.argmin(axis=1).tolist() == list(range(len(CLIP)))


def test_the_same_frames_give_the_same_bytes() -> None:
    # Long enough that x264 looks ahead, and often enough that a single difference shows.
    long = [drawn(1, pose=Pose(yaw=yaw), size=96).image for yaw in 0.1 * np.sin(np.arange(12))]
    assert len({np.stack(compress(long, 23)).tobytes() for _ in range(8)}) == 1
