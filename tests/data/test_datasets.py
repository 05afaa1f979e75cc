"""Pairs and batches: what is paired with what, and that randomness is reproducible."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from difffake.data.augment import AugmentConfig, augment, jpeg_round_trip
from difffake.data.batches import collate, to_unit
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.data.samplers import EpochSampler
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.randomness import generator
from difffake.training.datamodule import FaceData


def pairs(manifest: Manifest, fakes: str, augment: AugmentConfig | None = None) -> PairDataset:
    return PairDataset(manifest.select(split="train"), 96, fakes, PseudoConfig(), augment, seed=0)  # type: ignore[arg-type]


STILL = AugmentConfig(flip=0, jpeg=0)


def test_a_real_face_meets_the_fake_made_from_it(manifest: Manifest) -> None:
    dataset = pairs(manifest, "manifest", STILL)
    for index in range(5):
        sample = dataset[0, index]
        assert sample["label"].tolist() == [0, 1]
        assert sample["image"][1].unique().tolist() == [10 * index]
        original = CropDataset(manifest.select(split="train"), 96)[0, int(sample["index"][0])]
        assert torch.equal(sample["image"][0], original["image"][0])
    # The sixth has no fake of its own, so it gets any of the others, and not always the same.
    levels = {int(dataset[epoch, 5]["image"][1].unique()) for epoch in range(12)}
    assert levels <= {0, 10, 20, 30, 40}
    assert len(levels) > 1


def test_samples_depend_on_seed_epoch_and_index_alone(manifest: Manifest) -> None:
    one, other = pairs(manifest, "pseudo", AugmentConfig()), pairs(manifest, "pseudo", AugmentConfig())
    _ = other[3, 0]
    assert torch.equal(one[1, 2]["image"], other[1, 2]["image"])
    assert not torch.equal(one[1, 2]["image"], one[2, 2]["image"])
    validation = pairs(manifest, "pseudo")
    assert torch.equal(validation[0, 2]["image"], validation[7, 2]["image"])


def test_both_kinds_of_forgery_come_up(manifest: Manifest) -> None:
    dataset = pairs(manifest, "both", STILL)
    gray = [len(dataset[epoch, 0]["image"][1].unique()) == 1 for epoch in range(40)]
    assert 8 < sum(gray) < 32


def test_real_and_fake_share_one_augmentation() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (one, two), _ = augment([image, image], AugmentConfig(flip=0.5, downscale=0.5, jpeg=0.5, cutout=0.5), rng)
        np.testing.assert_array_equal(one, two)


def test_augmentations_do_what_they_say() -> None:
    image = np.random.default_rng(0).integers(0, 128, (40, 40, 3), dtype=np.uint8)
    rng = np.random.default_rng(0)
    (flipped,), _ = augment([image], AugmentConfig(flip=1, jpeg=0), rng)
    np.testing.assert_array_equal(flipped, image[:, ::-1])
    (cut,), _ = augment([image], AugmentConfig(flip=0, jpeg=0, cutout=1, cutout_size=0.5), rng)
    assert (cut == 128).all(axis=2).sum() == 20 * 20
    (soft,), _ = augment([image], AugmentConfig(flip=0, downscale=1, downscale_factor=(3, 3), jpeg=0), rng)
    assert soft.shape == image.shape
    assert soft.std() < 0.5 * image.std()  # noise is averaged over 9 pixels
    good, bad = (jpeg_round_trip(image, quality).astype(int) for quality in (100, 10))
    assert np.abs(good - image).mean() < np.abs(bad - image).mean()
    with pytest.raises(UserError, match=r"augment\.flip"):
        AugmentConfig(flip=1.5)


def test_batches_are_half_real(manifest: Manifest) -> None:
    data = FaceData(str(manifest.root), batch_size=4, image_size=64, workers=0)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 3, 64, 64)
    assert batch["image"].dtype == torch.uint8
    assert batch["label"].tolist() == [0, 1, 0, 1]
    unit = to_unit(batch["image"])
    assert unit.dtype == torch.float32
    assert unit.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(unit.numpy(), batch["image"].numpy() / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("fakes", "labels"), [("pseudo", [0, 1] * 2), ("manifest", [0, 1] * 2), ("both", [0, 1] * 2 + [1] * 2)]
)
def test_validation_sees_every_sample_once(manifest: Manifest, fakes: Any, labels: list[int]) -> None:
    data = FaceData(str(manifest.root), fakes=fakes, batch_size=2, image_size=64, workers=0)
    batch = collate([data.validation_set()[0, i] for i in range(len(data.validation_set()))])
    assert batch["label"].tolist() == labels


@pytest.mark.parametrize(("length", "ranks"), [(10, 1), (10, 3), (2001, 2), (3, 4)])
def test_sampler_gives_each_rank_its_share(length: int, ranks: int) -> None:
    shares = [list(EpochSampler(length, shuffle=False, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert sorted(index for share in shares for _, index in share) == list(range(length))
    shuffled = [EpochSampler(length, shuffle=True, seed=1, rank=rank, ranks=ranks) for rank in range(ranks)]
    for sampler in shuffled:
        sampler.set_epoch(4)
        assert len(list(sampler)) == len(sampler) == length // ranks
    seen = [key for sampler in shuffled for key in sampler]
    assert len(set(seen)) == len(seen)
    assert {epoch for epoch, _ in seen} <= {4}
    if length > 10:
        first = list(shuffled[0])
        shuffled[0].set_epoch(5)
        assert [i for _, i in shuffled[0]] != [i for _, i in first]


def test_wrong_data_is_explained(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be even"):
        FaceData(str(manifest.root), batch_size=3)
    with pytest.raises(UserError, match=r"too few for a batch of 32"):
        FaceData(str(manifest.root), workers=0).train_dataloader()
    with pytest.raises(UserError, match="no fakes"):
        PairDataset(manifest.select(label=0), 64, "manifest", PseudoConfig(), None, 0)
    with pytest.raises(UserError, match="no real faces"):
        PairDataset(manifest.select(label=1), 64, "pseudo", PseudoConfig(), None, 0)
    table = manifest.table.assign(target="same")
    Manifest(table.assign(path=[(manifest.root / p).as_posix() for p in table["path"]]), tmp_path).write(
        tmp_path / "manifest.parquet"
    )
    with pytest.raises(UserError, match="the val split shares 1 key"):
        FaceData(str(tmp_path)).train_dataloader()


def test_real_and_fake_of_a_pair_differ_by_the_forgery_alone(manifest: Manifest) -> None:
    """The real partner is the pseudo-deepfake's target, recoloring included, and both get the same augmentation."""
    train = manifest.select(split="train")
    config = AugmentConfig(flip=0.5, downscale=0.5, jpeg=0.5, cutout=0.5)
    for augmented in (None, config):
        dataset = PairDataset(train, 96, "pseudo", PseudoConfig(), augmented, seed=0)
        for index in range(len(dataset)):
            row = dataset.real_rows[index]
            rng = generator(0, 7 if augmented else 0, index)
            landmarks = train.landmarks(row)
            made = pseudo_deepfake(read_image(train.file(row)), landmarks, rng, PseudoConfig())
            images = [made.target, made.fake]
            if augmented:
                images, _ = augment(images, augmented, rng)
            sample = dataset[7, index]["image"].numpy().transpose(0, 2, 3, 1)
            np.testing.assert_array_equal(sample, np.stack(images))


def test_jpeg_keeps_the_channel_order() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert jpeg_round_trip(red, 95)[8, 8].tolist() == pytest.approx([255, 0, 0], abs=6)


def test_fakes_of_chosen_methods_alone_are_learned_from(manifest: Manifest, tmp_path: Path) -> None:
    table = manifest.table.assign(path=[str(manifest.file(i)) for i in range(len(manifest))])
    fakes = np.flatnonzero(table["label"] == 1)
    table.loc[table.index[fakes[::2]], "method"] = "y"
    Manifest(table, tmp_path).write(tmp_path / "m.parquet")
    data = FaceData(str(tmp_path / "m.parquet"), fakes="manifest", methods=["y"], batch_size=2, image_size=64)
    assert set(data.manifest.table["method"]) == {"real", "y"}
    assert len(data.manifest.table) == 8 + len(fakes[::2])
    with pytest.raises(UserError, match=r"methods z: .* has x, y"):
        _ = FaceData(str(tmp_path / "m.parquet"), methods=["z"]).manifest


def test_a_real_face_never_meets_a_fake_of_another_compression(manifest: Manifest) -> None:
    strong = manifest.table.assign(compression="c40", path=[f"c40-{path}" for path in manifest.table["path"]])
    both = Manifest(pd.concat([manifest.table.assign(compression="c23"), strong]), manifest.root)
    dataset = PairDataset(both.select(split="train"), 96, "manifest", PseudoConfig(), None, seed=0)
    table = dataset.manifest.table
    for row, partners in dataset.partners.items():
        assert (table["compression"].iloc[partners] == table["compression"].iloc[row]).all()
    # The sixth has no fake of its own, in either compression.
    assert sorted(map(len, dataset.partners.values())) == [1] * 10 + [5, 5]
