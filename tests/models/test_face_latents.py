"""Cached latents and encoded faces end up at the image, source and target that they belong to."""

import pytest
import torch
from torch import Tensor

from difffake.data.datasets import Batch, to_unit
from difffake.models.face_latents import face_latents
from difffake.models.latent_diffusion import LatentDiffusion
from difffake.models.tiny_diffusion import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


def batch(roles: list[list[int]], latents: int, faces: int) -> Batch:
    """Random latents (latents, 4, 4, 4) and faces (faces, 3, 32, 32)."""
    random = torch.Generator().manual_seed(0)
    return Batch(
        image=torch.zeros(len(roles), 3, 32, 32, dtype=torch.uint8),
        label=torch.zeros(len(roles)),
        index=torch.zeros(len(roles), dtype=torch.int64),
        roles=torch.tensor(roles),
        latents=torch.randn(latents, 4, 4, 4, generator=random),
        faces=torch.randint(256, (faces, 3, 32, 32), dtype=torch.uint8, generator=random),
    )


def test_cached_latents_are_not_encoded_again(diffusion: LatentDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(images: Tensor) -> Tensor:
        raise AssertionError("nothing is to be encoded")

    monkeypatch.setattr(diffusion, "encode", fail)
    given = batch([[0, 0, 0], [1, 2, 0]], latents=3, faces=0)
    found = face_latents(given, diffusion)
    for got, order in ((found.image, [0, 1]), (found.source, [0, 2]), (found.target, [0, 0])):
        assert torch.equal(got, given["latents"][order])
    assert found.known.tolist() == [True, True]


def test_faces_are_counted_on_from_the_latents(diffusion: LatentDiffusion) -> None:
    """Two cached latents, then two faces: numbers 2 and 3 are the faces."""
    given = batch([[0, 1, 0], [3, 2, 3]], latents=2, faces=2)
    known = torch.cat([given["latents"], diffusion.encode(to_unit(given["faces"]))])
    found = face_latents(given, diffusion)
    for got, order in ((found.image, [0, 3]), (found.source, [1, 2]), (found.target, [0, 3])):
        assert torch.equal(got, known[order])


@pytest.mark.parametrize("unknown", [[1, -1, 0], [1, 0, -1], [1, -1, -1]])
def test_an_image_without_a_partner_is_not_known(diffusion: LatentDiffusion, unknown: list[int]) -> None:
    """Its latents are some or other, but finite, since they are computed with and then left out."""
    found = face_latents(batch([[0, 0, 0], unknown], latents=2, faces=0), diffusion)
    assert found.known.tolist() == [True, False]
    assert all(part.isfinite().all() and len(part) == 2 for part in (found.image, found.source, found.target))
