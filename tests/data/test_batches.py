"""Images become tensors of one size."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from difffake.data.batches import to_tensors


@pytest.fixture
def images() -> list[np.ndarray]:
    """Smooth noise of different sizes and shapes."""
    rng = np.random.default_rng(0)
    sizes = ((40, 40), (64, 64), (97, 120), (128, 128))
    return [cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), np.uint8), (0, 0), 2) for size in sizes]


def test_sizes_down_to_the_half_are_bilinear_as_in_torch(images: list[np.ndarray]) -> None:
    tensors = to_tensors(images, 64)
    assert tensors.shape == (4, 3, 64, 64)
    for image, tensor in zip(images, tensors, strict=True):
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
        wanted = functional.interpolate(pixels, (64, 64), mode="bilinear")[0]
        assert (tensor - wanted).abs().max() <= 1


def test_smaller_sizes_are_averages(images: list[np.ndarray]) -> None:
    tensor = to_tensors(images[-1:], 32)[0]
    blocks = images[-1].reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(tensor.permute(1, 2, 0).numpy() - blocks).max() <= 0.5 + 1e-6


def test_an_image_of_the_size_keeps_its_pixels(images: list[np.ndarray]) -> None:
    assert np.array_equal(to_tensors(images[1:2], 64)[0].permute(1, 2, 0).numpy(), images[1])
