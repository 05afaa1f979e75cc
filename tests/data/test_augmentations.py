"""Rotation, crops, gray, colors and noise, against NumPy, OpenCV and torchvision."""

import cv2
import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import RandomResizedCrop
from torchvision.transforms.v2.functional import adjust_gamma

from difffake.data.augment import AugmentConfig, _draw_look, _draw_part, _Look, _recolored, _rotated, augment
from difffake.errors import UserError

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
STILL = {"flip": 0.0, "jpeg": 0.0}


def changed(seed: int = 0, image: np.ndarray = IMAGE, **settings: object) -> np.ndarray:
    config = AugmentConfig(**STILL | settings)  # type: ignore[arg-type]
    return augment([image], config, np.random.default_rng(seed))[0][0]


def test_a_quarter_turn_is_numpys() -> None:
    np.testing.assert_array_equal(_rotated(IMAGE, 90), np.rot90(IMAGE))


def test_angles_are_uniform_to_both_sides() -> None:
    """Read off a picture of a single bright point at the right edge."""
    dark = np.zeros((101, 101, 3), np.uint8)
    dark[48:53, 88:93] = 255
    angles = []
    for seed in range(150):
        y, x = (np.average(axis, weights=changed(seed, dark, rotate=1)[..., 0]) for axis in np.mgrid[:101, :101])
        angles.append(np.degrees(np.arctan2(50 - y, x - 50)))
    assert stats.kstest(angles, stats.uniform(-30, 60).cdf).pvalue > 0.01
    assert np.abs(angles).max() <= 30.5


def test_parts_have_the_sizes_of_torchvisions() -> None:
    rng = np.random.default_rng(0)
    ours = np.array([_draw_part((0.5, 1.0), rng) for _ in range(2000)])
    theirs = RandomResizedCrop(10, scale=(0.5, 1.0))
    torch.manual_seed(0)
    blank = torch.zeros(3, 1000, 1000)
    drawn = [theirs.make_params([blank]) for _ in range(2000)]
    for column, name in ((2, "width"), (3, "height"), (0, "left"), (1, "top")):
        assert stats.ks_2samp(ours[:, column], [one[name] / 1000 for one in drawn]).pvalue > 0.01
    assert (ours[:, :2] + ours[:, 2:] <= 1 + 1e-9).all()


@pytest.mark.parametrize("gamma", [0.6, 1.0, 1.6])
def test_gamma_is_torchvisions(gamma: float) -> None:
    ours = _recolored(IMAGE, _Look(1.0, np.zeros(3), gamma)).astype(int)
    theirs = adjust_gamma(torch.from_numpy(IMAGE).permute(2, 0, 1), gamma).permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).max() <= 1  # torchvision does not round


def test_contrast_brightness_and_tint_are_opencvs() -> None:
    gain, offset = 1.2, np.array([-40.0, 0.0, 25.0])
    ours = _recolored(IMAGE, _Look(gain, offset / 255, 1.0))
    for channel, levels in enumerate(offset):
        theirs = np.clip(np.round(IMAGE[..., channel] * gain + levels), 0, 255)
        assert np.abs(ours[..., channel] - theirs).max() <= 1
        if levels >= 0:  # OpenCV takes the absolute value of what is below 0
            opencv = cv2.convertScaleAbs(IMAGE[..., channel], alpha=gain, beta=levels)
            assert np.abs(ours[..., channel].astype(int) - opencv).max() <= 1


def test_colors_are_uniform_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    looks = [_draw_look(0.3, rng) for _ in range(2000)]
    assert stats.kstest([look.gain for look in looks], stats.uniform(0.7, 0.6).cdf).pvalue > 0.01
    assert stats.kstest([np.log(look.gamma) for look in looks], stats.uniform(-0.45, 0.9).cdf).pvalue > 0.01
    tints = np.array([look.offset - look.offset.mean() for look in looks])
    brightness = np.array([look.offset.mean() for look in looks])
    assert np.abs(tints).max() <= 2 * 0.048 * 2 / 3 + 1e-9
    assert brightness.std() == pytest.approx((0.24**2 / 12 + 0.096**2 / 12 / 3) ** 0.5, rel=0.05)


def test_a_real_face_and_its_forgery_get_the_same_color() -> None:
    other = IMAGE[::-1].copy()
    real, fake = augment([IMAGE, other], AugmentConfig(**STILL, color=1), np.random.default_rng(0))[0]  # type: ignore[arg-type]
    np.testing.assert_array_equal(real[::-1], fake)
    assert np.abs(real.astype(int) - IMAGE).mean() > 5


def test_a_crop_is_a_part_scaled_up() -> None:
    """Of a ramp from left to right: its range is the part's width, and it stays a ramp."""
    ramp = np.repeat(np.linspace(0, 240, 48).astype(np.uint8)[None, :, None], 48, axis=0).repeat(3, axis=2)
    for seed in range(10):
        crop = changed(seed, ramp, crop=1, crop_area=(0.25, 0.25)).astype(int)
        assert crop.shape == ramp.shape
        assert 0.43 * 240 - 12 <= np.ptp(crop) <= 0.58 * 240 + 12  # sqrt(1/4 * 3/4) to sqrt(1/4 * 4/3)
        assert (np.diff(crop, axis=1) >= 0).all()
        assert np.abs(crop - crop[:1]).max() <= 1


def test_gray_is_opencvs_and_noise_has_its_deviation() -> None:
    wanted = cv2.cvtColor(IMAGE, cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(changed(gray=1), np.stack([wanted] * 3, axis=2))
    flat = np.full((64, 64, 3), 128, np.uint8)
    noise = changed(image=flat, noise=1, noise_deviation=(6, 6)).astype(float) - 128
    assert noise.std() == pytest.approx(6, rel=0.03)
    assert abs(noise.mean()) < 0.2
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_real_and_fake_share_them_and_each_leaves_the_others_draws_alone() -> None:
    everything = AugmentConfig(flip=0.5, rotate=0.5, crop=0.5, gray=0.5, noise=0.5, jpeg=0.5, cutout=0.5)
    mirrored = []
    for seed in range(20):
        (one, two), _ = augment([IMAGE, IMAGE], everything, np.random.default_rng(seed))
        np.testing.assert_array_equal(one, two)
        both = [
            augment([IMAGE], AugmentConfig(flip=0.5, jpeg=0, rotate=p), np.random.default_rng(seed))[1] for p in (0, 1)
        ]
        assert both[0] == both[1]
        mirrored.append(both[0])
    assert 4 < sum(mirrored) < 16


def test_faces_of_the_diffusion_model_may_stay_as_they_are() -> None:
    images, mirrored = augment([IMAGE], AugmentConfig(flip=1, jpeg=0, mirror_faces=False), np.random.default_rng(0))
    np.testing.assert_array_equal(images[0], IMAGE[:, ::-1])
    assert not mirrored


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotate": 2.0}, "rotate"),
        ({"crop_area": (0.0, 1.0)}, "crop_area"),
        ({"noise_deviation": (5.0, 1.0)}, "noise_deviation"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AugmentConfig(**settings)  # type: ignore[arg-type]
