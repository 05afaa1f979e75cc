"""Filling a cache of latents: every face and its mirror image once, by any number of ranks, after any interruption."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from difffake.data.batches import to_tensors, to_unit
from difffake.data.manifest import Manifest
from difffake.diffusion import cache as cache_module
from difffake.diffusion import fill as module
from difffake.diffusion.cache import LatentCache
from difffake.diffusion.fill import fill_cache
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.faces.images import read_image, write_png

FACES, SIZE = 11, 32


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven faces are two shards of four, encoded by twos, and one of three."""
    for where in (cache_module, module):
        monkeypatch.setattr(where, "SHARD", 4)
    monkeypatch.setattr(module, "_BATCH", 2)


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Blocks of random colors, twice as large as they are wanted."""
    root = tmp_path_factory.mktemp("faces")
    names = dict.fromkeys(("video", "source", "target", "compression"), "")
    fixed = {"dataset": "d", "split": "train", "label": 0, "method": "real", "frame": 0, "box": None, "landmarks": None}
    rng = np.random.default_rng(0)
    for number in range(FACES):
        write_png(root / f"{number}.png", rng.integers(256, size=(8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1))
    rows = [{"path": f"{number}.png", "identity": str(number), **names, **fixed} for number in range(FACES)]
    return Manifest(pd.DataFrame(rows), root)


@pytest.fixture
def encoded(diffusion: LatentDiffusion, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were encoded in each call so far."""
    calls: list[int] = []
    encode = diffusion.encode

    def counted(images: Tensor) -> Tensor:
        calls.append(len(images))
        return encode(images)

    monkeypatch.setattr(diffusion, "encode", counted)
    return calls


def new_cache(folder: Path, manifest: Manifest, diffusion: LatentDiffusion) -> LatentCache:
    return LatentCache(folder, manifest, diffusion.vae_fingerprint, SIZE)


def everything(cache: LatentCache) -> Tensor:
    """(N, 2, 4, h, w)."""
    return torch.stack([torch.stack([cache[row, False], cache[row, True]]) for row in range(FACES)])


def expected(manifest: Manifest, diffusion: LatentDiffusion) -> Tensor:
    """Likewise, each image and its mirror image encoded by itself."""
    images = [to_unit(to_tensors([read_image(manifest.file(row))], SIZE)) for row in range(FACES)]
    return torch.stack([torch.cat([diffusion.encode(image), diffusion.encode(image.flip(3))]) for image in images])


def test_each_face_is_encoded_as_it_is_and_mirrored(
    manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path
) -> None:
    cache = new_cache(tmp_path / "latents", manifest, diffusion)
    fill_cache(cache, manifest, diffusion, SIZE, workers=0)
    assert cache.missing() == []
    found, wanted = everything(cache), expected(manifest, diffusion)
    torch.testing.assert_close(found, wanted, rtol=2**-10, atol=1e-5)
    # The mirrored image's latent is not the mirrored latent: the VAE's layers are not symmetric.
    assert (found[:, 1] - found[:, 0].flip(3)).abs().mean() > 10 * (found - wanted).abs().mean()
    # Nor are any two faces alike, so that a swap of rows would be seen.
    assert torch.pdist(found.flatten(1)).min() > 10 * (found - wanted).flatten(1).norm(dim=1).max()


def test_loader_workers_give_the_same(manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path) -> None:
    caches = [new_cache(tmp_path / name, manifest, diffusion) for name in ("none", "two")]
    for cache, workers in zip(caches, (0, 2), strict=True):
        fill_cache(cache, manifest, diffusion, SIZE, workers=workers)
    assert torch.equal(everything(caches[0]), everything(caches[1]))


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_ranks_fill_shards_of_their_own_however_late_they_start(
    manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path, encoded: list[int], ranks: int
) -> None:
    """The last rank starts when the others are done: what it finds missing then must not be what it goes by."""
    whole = new_cache(tmp_path / "whole", manifest, diffusion)
    fill_cache(whole, manifest, diffusion, SIZE, workers=0)
    encoded.clear()
    caches = [new_cache(tmp_path / "shared", manifest, diffusion) for _ in range(ranks)]
    for rank, cache in enumerate(caches):
        before = len(cache.missing())
        fill_cache(cache, manifest, diffusion, SIZE, rank=rank, ranks=ranks, workers=0)
        assert before - len(cache.missing()) == len(range(rank, 3, ranks))
    assert sum(encoded) == 2 * FACES  # each face once, and once mirrored
    assert torch.equal(everything(caches[0]), everything(whole))


def test_an_interrupted_fill_goes_on_and_encodes_no_shard_again(
    manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = new_cache(tmp_path / "latents", manifest, diffusion)
    with monkeypatch.context() as patch:
        encode = diffusion.encode

        def interrupted(images: Tensor) -> Tensor:
            if len(encoded) == 7:  # the first shard took four calls
                raise KeyboardInterrupt
            return encode(images)

        patch.setattr(diffusion, "encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill_cache(cache, manifest, diffusion, SIZE, workers=0)
    assert cache.missing() == [range(4, 8), range(8, 11)]
    encoded.clear()
    fill_cache(cache, manifest, diffusion, SIZE, workers=0)
    assert sum(encoded) == 2 * (4 + 3)
    torch.testing.assert_close(everything(cache), expected(manifest, diffusion), rtol=2**-10, atol=1e-5)
    encoded.clear()
    fill_cache(cache, manifest, diffusion, SIZE, workers=0)
    assert encoded == []


def test_a_shard_that_was_deleted_is_made_again(
    manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path, encoded: list[int]
) -> None:
    """Whichever of the ranks it belongs to."""
    fill_cache(new_cache(tmp_path / "latents", manifest, diffusion), manifest, diffusion, SIZE, workers=0)
    shard = tmp_path / "latents" / "000001.safetensors"
    before = shard.read_bytes()
    shard.unlink()
    encoded.clear()
    for rank in range(2):
        cache = new_cache(tmp_path / "latents", manifest, diffusion)
        fill_cache(cache, manifest, diffusion, SIZE, rank=rank, ranks=2, workers=0)
    assert shard.read_bytes() == before
    assert sum(encoded) == 2 * 4


def test_latents_of_another_vae_are_refused_in_one_line(
    manifest: Manifest, diffusion: LatentDiffusion, tmp_path: Path
) -> None:
    new_cache(tmp_path / "latents", manifest, diffusion)
    other = LatentDiffusion(tiny_vae(), diffusion.unet, tiny_scheduler(), tiny_prompt())
    with pytest.raises(UserError, match=r"latents has latents of another model or other settings: delete it") as caught:
        new_cache(tmp_path / "latents", manifest, other)
    assert "\n" not in str(caught.value)
