"""Single faces in random order, half of them real, and frames that are thinned out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rows import row

from difffake.data.augment import AugmentConfig
from difffake.data.batches import collate, to_tensors
from difffake.data.datasets import PairDataset
from difffake.data.extras import Draw, Extras, FaceExtras
from difffake.data.manifest import Manifest
from difffake.data.mixed import MixedDataset
from difffake.data.partners import find_partners
from difffake.data.pseudo import PseudoConfig
from difffake.data.thinning import thinned
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.training.datamodule import FaceData

STILL = AugmentConfig(flip=0, jpeg=0)


def test_as_many_fakes_as_real_faces_chosen_once(manifest: Manifest) -> None:
    train = manifest.select(split="train")
    dataset = MixedDataset(train, 96, STILL, 0)
    assert len(dataset) == 10  # six real faces and five fakes
    label = train.table["label"].to_numpy()[dataset.rows]
    assert (label == 0).sum() == (label == 1).sum() == 5
    assert len(set(dataset.rows)) == 10  # each once
    for index, number in enumerate(dataset.rows):
        sample = dataset[3, index]
        assert (sample["label"].tolist(), sample["index"].tolist()) == ([label[index]], [number])
        assert torch.equal(sample["image"], to_tensors([read_image(train.file(number))], 96))
    assert dataset.rows == MixedDataset(train, 96, STILL, 0).rows
    others = {tuple(MixedDataset(train, 96, STILL, seed).rows) for seed in range(8)}
    assert len(others) > 1
    with pytest.raises(UserError, match="has no fakes to train on"):
        MixedDataset(train.select(label=0), 96, STILL, 0)


def test_a_fake_comes_with_its_own_source_and_target(manifest: Manifest) -> None:
    """Though they are not among the images: real faces i and fakes i of original-i have the target i."""
    train = manifest.select(split="train")
    table = train.table.assign(source=["original-0" if path.startswith("fake") else "" for path in train.table["path"]])
    rows = Manifest(table, train.root)
    extras = Extras({"noise": Draw((2,))}, FaceExtras(4, 8, find_partners(rows)))
    dataset = MixedDataset(rows, 96, AugmentConfig(flip=1, jpeg=0, mirror_faces=False), 0, extras)
    batch = collate([dataset[0, index] for index in range(len(dataset))])
    assert batch["draws"]["noise"].shape == (10, 2)
    for place, number in enumerate(batch["index"].tolist()):
        path = rows.table["path"].iloc[number]
        image, source, target = (batch["faces"][role] for role in batch["roles"][place].tolist())
        expected = ("real-0.png" if path.startswith("fake") else path, path.replace("fake", "real"))
        for face, name in zip((image, source, target), (path, *expected), strict=True):
            assert torch.equal(face, to_tensors([read_image(rows.root / name)], 96)[0])
        assert torch.equal(batch["image"][place], image.flip(2))  # only the detector's input is mirrored


def test_batches_are_whole_shuffled_and_go_on_where_a_run_stopped(manifest: Manifest) -> None:
    def epoch(skipped: int = 0) -> list[list[int]]:
        data = FaceData(str(manifest.root), "manifest", batches="mixed", batch_size=4, image_size=64, workers=0)
        data.resume(0, skipped)
        return [batch["index"].tolist() for batch in data.train_dataloader()]

    whole = epoch()
    assert [len(batch) for batch in whole] == [4, 4]
    assert whole[0] + whole[1] != sorted(whole[0] + whole[1])
    assert epoch(1) == whole[1:]
    with pytest.raises(UserError, match=r"add --data\.fakes manifest"):
        FaceData(str(manifest.root), batches="mixed")
    with pytest.raises(UserError, match="10 training faces are too few for a batch of 12"):
        FaceData(str(manifest.root), "manifest", batches="mixed", batch_size=12).train_dataloader()


def test_validation_pairs_are_drawn_anew_only_if_asked(manifest: Manifest) -> None:
    for redraw in (False, True):
        data = FaceData(str(manifest.root), image_size=64, workers=0, redraw_validation=redraw)
        found = data.validation_set()
        one, again, other = (found[epoch, 0]["image"] for epoch in (1, 1, 2))
        assert torch.equal(one, again)
        assert torch.equal(one, other) != redraw
    train = PairDataset(manifest.select(split="train"), 64, "pseudo", PseudoConfig(), STILL, 0)
    assert not torch.equal(train[1, 0]["image"], train[2, 0]["image"])


def videos(root: Path) -> Manifest:
    kinds = [(0, "real", "a", 12), (1, "x", "b", 12), (1, "x", "c", 3)]
    rows = [
        row(
            path=f"{split}-{video}-{frame:02d}.png",
            label=label,
            method=method,
            video=f"{split}-{video}",
            frame=frame * 5,
            split=split,
        )
        for split in ("train", "val")
        for label, method, video, count in kinds
        for frame in range(count)
    ]
    return Manifest(pd.DataFrame(rows).sample(frac=1, random_state=0), root)


def test_training_frames_are_thinned_evenly_by_label(tmp_path: Path) -> None:
    found = thinned(videos(tmp_path), {0: 6, 1: 4})
    frames = {key: sorted(part["frame"].tolist()) for key, part in found.table.groupby(["split", "video"])}
    assert frames["train", "train-a"] == (5 * np.linspace(0, 11, 6).astype(int)).tolist()  # NumPy's, as published
    assert frames["train", "train-b"] == [0, 15, 35, 55]
    assert frames["train", "train-c"] == [0, 5, 10]
    assert len(frames["val", "val-a"]) == len(frames["val", "val-b"]) == 12
    assert thinned(videos(tmp_path), {0: None, 1: 4}).table["label"].value_counts().to_dict() == {0: 24, 1: 22}
    assert len(thinned(videos(tmp_path), {0: None, 1: None})) == 54
    stills = Manifest(videos(tmp_path).table.assign(video=""), tmp_path)
    assert len(thinned(stills, {0: 1, 1: 1})) == 54
    with pytest.raises(UserError, match="fake_frames 0 must be at least 1"):
        FaceData("m", fake_frames=0)
