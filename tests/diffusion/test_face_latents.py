"""Latents of a batch's faces: cached ones first, the rest encoded, each image given its own."""

import torch
from torch import Tensor

from difffake.data.batches import Batch
from difffake.diffusion.face_latents import face_latents
from difffake.diffusion.latent_diffusion import LatentDiffusion


class Brightness(LatentDiffusion):
    """Encodes a picture of 8 x 8 pixels as one number in four channels: its mean in [0, 1]."""

    def __init__(self) -> None:
        self.encoded: list[int] = []

    def encode(self, images: Tensor) -> Tensor:
        self.encoded.append(len(images))
        assert images.dtype == torch.float32
        return images.mean(dim=(1, 2, 3)).view(-1, 1, 1, 1).expand(-1, 4, 1, 1)


def batch(cached: list[float], gray: list[int], roles: list[list[int]]) -> Batch:
    """Cached latents of one level each, pictures of one gray level each, and roles."""
    return Batch(
        image=torch.zeros(len(roles), 3, 8, 8, dtype=torch.uint8),
        label=torch.zeros(len(roles)),
        index=torch.arange(len(roles)),
        latents=torch.tensor(cached).view(-1, 1, 1, 1).expand(-1, 4, 1, 1),
        faces=torch.tensor(gray, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8),
        roles=torch.tensor(roles),
    )


def levels(latents: Tensor) -> list[float]:
    assert latents.shape[1:] == (4, 1, 1)
    return [round(float(latent.unique()), 4) for latent in latents]


def test_roles_count_through_cached_latents_and_then_pictures() -> None:
    diffusion = Brightness()
    found = face_latents(batch([7, 8, 9], [51, 255], [[0, 0, 0], [1, 2, 0], [3, 3, 3], [4, 2, 3]]), diffusion)
    assert diffusion.encoded == [2]  # all pictures at once, each once
    assert levels(found.image) == [7, 8, 0.2, 1]
    assert levels(found.source) == [7, 9, 0.2, 9]
    assert levels(found.target) == [7, 7, 0.2, 0.2]
    assert found.known.tolist() == [True] * 4


def test_nothing_is_encoded_where_all_is_cached() -> None:
    diffusion = Brightness()
    found = face_latents(batch([7, 8], [], [[0, 0, 0], [1, 0, 0]]), diffusion)
    assert diffusion.encoded == []
    assert levels(found.image) == [7, 8]


def test_without_a_cache_all_is_encoded() -> None:
    found = face_latents(batch([], [0, 51, 255], [[0, 0, 0], [2, 1, 0]]), Brightness())
    assert levels(found.image) == [0, 1]
    assert levels(found.source) == [0, 0.2]


def test_an_image_counts_only_if_source_and_target_are_known() -> None:
    roles = [[0, 0, 0], [1, -1, 0], [1, 0, -1], [1, -1, -1]]
    found = face_latents(batch([7, 8], [], roles), Brightness())
    assert found.known.tolist() == [True, False, False, False]
    assert levels(found.image) == [7, 8, 8, 8]
    assert levels(found.target)[:2] == [7, 7]
    assert found.source.isfinite().all()  # any value, but one to compute with
