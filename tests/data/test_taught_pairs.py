"""What a frozen diffusion model is given beside the images of a batch."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from difffake.data.augment import AugmentConfig
from difffake.data.batches import Batch, collate, to_tensors
from difffake.data.datasets import PairDataset
from difffake.data.extras import Draw, Extras, FaceExtras
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners, find_partners
from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.diffusion.cache import LatentCache, LatentStore
from difffake.faces.images import read_image
from difffake.randomness import generator
from difffake.training.datamodule import FaceData

STILL = AugmentConfig(flip=0, jpeg=0)

Face = tuple[str, bool] | None
"""A face by the name of its file, and whether it is mirrored; None if there is none."""


@pytest.fixture(scope="module")
def sourced(manifest: Manifest) -> Manifest:
    """The training rows; fake 0 has face 1 in it, fake 1 face 2 and so on, but that of fake 4 is not there."""
    table = manifest.select(split="train").table
    source = [f"original-{int(path[5]) + 1}" if path.startswith("fake") else "" for path in table["path"]]
    return Manifest(table.assign(source=[name.replace("-5", "-99") for name in source]), manifest.root)


@pytest.fixture(scope="module")
def store(sourced: Manifest, tmp_path_factory: pytest.TempPathFactory) -> LatentStore:
    """Latents that tell whose they are: all numbers are the row, and half more if mirrored."""
    cache = LatentCache(tmp_path_factory.mktemp("latents"), sourced, "vae", 96)
    rows = torch.arange(len(sourced)).view(-1, 1, 1, 1, 1)
    for shard in cache.missing():
        cache.write(shard, (rows + torch.tensor([0, 0.5]).view(1, 2, 1, 1, 1)).expand(-1, -1, 4, 12, 12))
    return LatentStore([(sourced, cache)])


def wanted(partners: Partners, channels: int = 4, scale: int = 8, side: int = 12, **faces: Any) -> Extras:
    """What a guide needs: a noise and a step for source and target, and the faces themselves."""
    draws = {"noise": Draw((2, channels, side, side)), "timestep": Draw((2,), below=1000)}
    return Extras(draws, FaceExtras(channels, scale, partners, **faces))


def taught(
    sourced: Manifest,
    fakes: str = "manifest",
    augment: AugmentConfig | None = STILL,
    cached: LatentStore | None = None,
    seed: int = 0,
) -> PairDataset:
    """Pairs for a diffusion model of Stable Diffusion's shapes: 96 pixels are 12 latents of 4 channels."""
    extras = wanted(find_partners(sourced), latents=cached)
    return PairDataset(sourced, 96, fakes, PseudoConfig(), augment, seed, extras)  # type: ignore[arg-type]


def faces_of(batch: Batch, sourced: Manifest) -> list[tuple[Face, ...]]:
    """Of each image of a batch: which faces its roles point to. KeyError for an image that is no file as it is."""
    known: dict[bytes, Face] = {}
    for row, path in enumerate(sourced.table["path"]):
        image = to_tensors([read_image(sourced.file(row))], 96)[0]
        known |= {image.flip(2).numpy().tobytes(): (path[:6], True), image.numpy().tobytes(): (path[:6], False)}
    faces: list[Face] = []
    for latent in batch["latents"]:
        (level,) = latent.unique().tolist()
        faces.append((sourced.table["path"].iloc[int(level)][:6], level % 1 == 0.5))
    faces += [known[face.numpy().tobytes()] for face in batch["faces"]]
    return [tuple(faces[place] if place >= 0 else None for place in roles) for roles in batch["roles"].tolist()]


@pytest.mark.parametrize("fakes", ["pseudo", "manifest", "both"])
def test_images_are_the_same_with_and_without_a_diffusion_model(sourced: Manifest, fakes: str) -> None:
    """So that a guided run is compared with one without a guide on the same batches."""
    config = AugmentConfig(downscale=0.5, cutout=0.5)
    plain = PairDataset(sourced, 96, fakes, PseudoConfig(), config, 0)  # type: ignore[arg-type]
    guided = taught(sourced, fakes, config)
    for key in ((epoch, index) for epoch in range(4) for index in range(6)):
        one, other = plain[key], guided[key]
        assert set(one) == {"image", "label", "index"}
        assert all(torch.equal(one[name], other[name]) for name in ("image", "label", "index"))  # type: ignore[literal-required]


@pytest.mark.parametrize("caches", [True, False])
def test_roles_point_to_image_source_and_target(sourced: Manifest, store: LatentStore, caches: bool) -> None:
    dataset = taught(sourced, cached=store if caches else None)
    batch = collate([dataset[0, index] for index in (3, 0, 4)])
    assert faces_of(batch, sourced) == [
        (("real-3", False), ("real-3", False), ("real-3", False)),  # a real face is its own source and target
        (("fake-3", False), ("real-4", False), ("real-3", False)),
        (("real-0", False), ("real-0", False), ("real-0", False)),
        (("fake-0", False), ("real-1", False), ("real-0", False)),
        (("real-4", False), ("real-4", False), ("real-4", False)),
        (("fake-4", False), None, ("real-4", False)),  # there is no face 99
    ]
    assert batch["roles"][5].tolist()[1] == -1
    # No face is there, or encoded, twice: three faces of the first two samples, two of the last.
    assert (len(batch["latents"]), len(batch["faces"])) == ((8, 0) if caches else (0, 8))


def test_a_fake_of_another_target_brings_its_own_partners(sourced: Manifest, store: LatentStore) -> None:
    """The sixth real face has no fake of its own, and is neither source nor target of the one it meets."""
    dataset = taught(sourced, cached=store)
    for epoch in range(5):
        sample = dataset[epoch, 5]
        number = int(sample["image"][1].unique()) // 10
        source = (f"real-{number + 1}", False) if number < 4 else None
        real, fake = faces_of(sample, sourced)
        assert real == (("real-5", False),) * 3
        assert fake == ((f"fake-{number}", False), source, (f"real-{number}", False))


def test_a_pseudo_deepfake_is_made_of_two_recolored_copies_of_one_face(sourced: Manifest) -> None:
    """The real one is its target; what was blended in, its source, is a face of its own."""
    dataset = taught(sourced, "pseudo")
    batch = collate([dataset[2, index] for index in range(6)])
    assert batch["latents"].shape == (0, 4, 12, 12)
    assert len(batch["faces"]) == 3 * 6
    for index in range(6):
        row = dataset.real_rows[index]
        rng = generator(0, 2, index)
        made = pseudo_deepfake(read_image(sourced.file(row)), sourced.landmarks(row), rng, PseudoConfig(), whole=True)
        target, fake, source = to_tensors([made.target, made.fake, made.source], 96)
        real_roles, fake_roles = (batch["faces"][batch["roles"][2 * index + number]] for number in (0, 1))
        assert torch.equal(real_roles, torch.stack([target, target, target]))
        assert torch.equal(fake_roles, torch.stack([fake, source, target]))
        assert not torch.equal(source, target)


def test_cached_latents_and_fresh_faces_mix_in_a_batch(sourced: Manifest, store: LatentStore) -> None:
    """With fakes of both kinds: latents come first, in whatever order the samples are."""
    dataset = taught(sourced, "both", AugmentConfig(flip=0.5, jpeg=0), cached=store)
    batch = collate([dataset[epoch, index] for epoch in range(2) for index in range(5)])
    pseudo = 0
    # A level a face; those that are pictures get negative ones.
    level = torch.cat([batch["latents"][:, 0, 0, 0], -1.0 - torch.arange(len(batch["faces"]))])
    for number in range(0, 20, 2):
        index = number // 2 % 5
        own, roles = batch["image"][number : number + 2], batch["roles"][number : number + 2]
        if level[roles[0, 0]] < 0:
            pseudo += 1
            faces = batch["faces"][roles - len(batch["latents"])]  # (2, 3, 3, 96, 96)
            assert torch.equal(faces[:, 0], own)  # no augmentation but the flip
            assert torch.equal(faces[0, 1], faces[0, 2])
            assert torch.equal(faces[1, 2], own[0])
        else:
            found = [[None if role < 0 else float(level[role]) // 1 for role in of_image] for of_image in roles]
            names = [[None if row is None else sourced.table["path"].iloc[int(row)][:6] for row in of] for of in found]
            real, source = f"real-{index}", f"real-{index + 1}" if index < 4 else None
            assert names == [[real] * 3, [f"fake-{index}", source, real]]
    assert 2 <= pseudo <= 8


@pytest.mark.parametrize("caches", [True, False])
def test_faces_are_mirrored_exactly_when_the_image_is(sourced: Manifest, store: LatentStore, caches: bool) -> None:
    dataset = taught(sourced, augment=AugmentConfig(flip=0.5, jpeg=0), cached=store if caches else None)
    original = to_tensors([read_image(sourced.file(dataset.real_rows[1]))], 96)[0]
    seen = set()
    for epoch in range(12):
        sample = dataset[epoch, 1]
        mirrored = not torch.equal(sample["image"][0], original)
        assert torch.equal(sample["image"][0], original.flip(2) if mirrored else original)
        seen.add(mirrored)
        assert faces_of(sample, sourced) == [
            (("real-1", mirrored),) * 3,
            (("fake-1", mirrored and caches), ("real-2", mirrored), ("real-1", mirrored)),  # gray is its own mirror
        ]
    assert seen == {False, True}


def test_nothing_but_the_flip_is_done_to_faces(sourced: Manifest) -> None:
    """The frozen model sees the face itself, the detector what a camera or an augmentation made of it."""
    config = AugmentConfig(flip=0.5, downscale=1, downscale_factor=(2, 2), jpeg=1, jpeg_quality=(30, 30), cutout=1)
    dataset = taught(sourced, augment=config)
    mirrored = set()
    for epoch in range(12):
        sample = dataset[epoch, 1]
        (real, *_), (_, source, target) = faces_of(sample, sourced)  # all are files as they are
        assert (real, source) == (target, ("real-2", real[1] if real else None))
        assert not torch.equal(sample["image"][0], sample["faces"][0])
        mirrored.add(real)
    assert mirrored == {("real-1", False), ("real-1", True)}


def test_noise_depends_on_seed_epoch_and_index_alone(sourced: Manifest, store: LatentStore) -> None:
    """Not on the batch, nor the worker, nor on what else a sample is made of."""

    def drawn(dataset: PairDataset, epoch: int, order: list[int], size: int, workers: int) -> dict[int, torch.Tensor]:
        """Noise and steps (2, 2, 4 * 12 * 12 + 1) by real face."""
        found = {}
        for batch in loader(dataset, size, workers, [(epoch, index) for index in order]):
            together = torch.cat([batch["draws"]["noise"].flatten(2), batch["draws"]["timestep"][:, :, None]], dim=2)
            found |= dict(zip(batch["index"][::2].tolist(), together.unflatten(0, (-1, 2)), strict=True))
        return found

    one = drawn(taught(sourced), 1, [0, 1, 2, 3, 4, 5], 3, 0)
    for dataset in (
        taught(sourced, cached=store),
        taught(sourced, "both", AugmentConfig(), store),
        taught(sourced, "pseudo"),
    ):
        other = drawn(dataset, 1, [5, 3, 0, 1, 4, 2], 2, 2)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[row], other[row]) for row in one)
    others = (drawn(taught(sourced), 2, [0], 1, 0), drawn(taught(sourced, seed=1), 1, [0], 1, 0))
    # Each image's source and target have noise of their own, as have other indices, epochs and seeds.
    noise = torch.cat([*one.values(), *others[0].values(), *others[1].values()]).flatten(0, 1)
    assert len(noise) == (6 + 2) * 4
    assert noise.unique(dim=0).shape == noise.shape
    assert torch.corrcoef(noise[:, :-1]).fill_diagonal_(0).abs().max() < 0.2  # 0.04 is one deviation
    assert noise[:, :-1].mean().abs() < 0.03
    assert noise[:, :-1].std() == pytest.approx(1, abs=0.03)
    assert 0 <= noise[:, -1].min() <= noise[:, -1].max() < 1000
    assert len(noise[:, -1].unique()) > 24  # of 32: source and target have steps of their own too


def test_without_augmentation_the_noise_is_the_same_in_every_epoch(sourced: Manifest) -> None:
    dataset = taught(sourced, augment=None)
    assert torch.equal(dataset[0, 2]["draws"]["noise"], dataset[7, 2]["draws"]["noise"])


def test_shapes_follow_the_image_size_and_the_model(sourced: Manifest) -> None:
    extras = wanted(find_partners(sourced), channels=3, scale=4, side=16)
    dataset = PairDataset(sourced, 64, "manifest", PseudoConfig(), AugmentConfig(), 0, extras)
    batch = collate([dataset[0, index] for index in range(6)])
    assert batch["draws"]["noise"].shape == (12, 2, 3, 16, 16)
    assert batch["latents"].shape == (0, 3, 16, 16)
    assert batch["faces"].shape[1:] == (3, 64, 64)
    assert batch["draws"]["timestep"].shape == (12, 2)


def test_only_training_batches_have_what_a_diffusion_model_needs(manifest: Manifest) -> None:
    data = FaceData(str(manifest.root), fakes="manifest", batch_size=4, image_size=96, workers=0)
    data.extras = wanted(find_partners(data.training_set().manifest))
    assert {"roles", "latents", "faces", "draws", "arrays"} < set(next(iter(data.train_dataloader())))
    assert set(next(iter(data.val_dataloader()))) == {"image", "label", "index"}


def test_latents_are_cached_where_the_option_says(manifest: Manifest, tmp_path: Path) -> None:
    """Of all training rows, whatever the methods, since the next run may learn from others."""
    for name in ("one", "two"):
        table = manifest.table.assign(path=[manifest.file(row).as_posix() for row in range(len(manifest))])
        Manifest(table, tmp_path).write(tmp_path / name / "manifest.parquet")
    both = [str(tmp_path / "one"), str(tmp_path / "two")]

    def folders(manifest: str | list[str], fakes: Any = "manifest", **options: Any) -> list[str]:
        caches = FaceData(manifest, fakes=fakes, image_size=96, **options).caches("0123456789")
        assert all(len(rows) == cache.length == 11 for rows, cache in caches)
        return [cache.folder.relative_to(tmp_path).as_posix() for _, cache in caches]

    assert folders(both) == ["one/latents/01234567-96", "two/latents/01234567-96"]
    assert folders(both[0], methods=["x"]) == ["one/latents/01234567-96"]
    for name in ("a", "b"):
        shutil.copy(tmp_path / "one" / "manifest.parquet", tmp_path / "one" / f"{name}.parquet")
    files = [str(tmp_path / "one" / f"{name}.parquet") for name in ("a", "b")]
    assert [*folders(files[0]), *folders(files[1])] == ["one/latents/a/01234567-96", "one/latents/b/01234567-96"]
    assert folders(both[0], latents=str(tmp_path / "mine")) == ["mine"]
    assert folders(both, latents=str(tmp_path / "ours")) == ["ours/0", "ours/1"]
    assert folders(both, latents="none") == folders(both, "pseudo") == []  # pseudo-deepfakes are never seen again
