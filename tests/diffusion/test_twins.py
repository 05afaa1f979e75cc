"""Twins are made once, by whoever comes first, and training uses them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from difffake.commands.main import main
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.data.pseudo import PseudoConfig
from difffake.diffusion import twins as module
from difffake.diffusion.twins import TwinMaker, made_alike, make_twins
from difffake.errors import UserError
from difffake.forge.pseudo import find_pseudo_shortcuts, kinds

CPU = torch.device("cpu")
CONFIG = PseudoConfig(autoencoder="drawn-faces", twin_sizes=(32, 64), family_weights={"twins": 1, "blended_twins": 1})


def test_ranks_share_the_work_and_nothing_is_made_twice(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PseudoConfig(autoencoder="drawn-faces", twin_sizes=(32, 64), twin_folder=str(tmp_path / "twins"))
    real = manifest.select(label=0)
    for rank in range(2):
        cache = make_twins([manifest], config, CPU, rank=rank, ranks=2)
        assert len([*tmp_path.rglob("*.png")]) == (rank + 1) * len(real) / 2
    direct = TwinMaker(config, CPU)
    for row in range(len(real)):
        crop = read_crop(real.file(row))
        # Alone and in a batch, some values are rounded to another level.
        assert np.abs(cache(crop).astype(int) - direct(crop)).mean() < 0.05
    monkeypatch.setattr(module, "rebuilt", None)
    make_twins([manifest], config, CPU)  # all at once: another share, but the same twins
    monkeypatch.setattr(module, "read_crop", None)
    make_twins([manifest], config, CPU)  # and now it is noted that all are there


def test_a_twin_has_the_colors_and_the_detail_of_its_image() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (96, 96, 3), dtype=np.uint8)
    blurred = np.clip(image.astype(int) // 3 + 100, 0, 255).astype(np.uint8)
    made = made_alike(blurred, image)
    assert module._detail(made.astype(np.float32)) == pytest.approx(module._detail(image.astype(np.float32)), rel=0.02)
    np.testing.assert_allclose(made.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=0.5)


def test_training_with_twins(manifest: Manifest, tmp_path: Path) -> None:
    arguments = {
        "data.manifest": manifest.root,
        "data.pseudo.family_weights": '{"blends": 1, "twins": 1, "blended_twins": 1}',
        "data.pseudo.autoencoder": "drawn-faces",
        "data.pseudo.twin_sizes": "[32,64]",
        "data.pseudo.twin_folder": tmp_path / "twins",
        "data.batch_size": 4,
        "data.workers": 1,
        "model.encoder": "resnet10t",
        "model.weights": "none",
        "model.image_size": 64,
        "model.optimizer.name": "adamw",
        "trainer.max_epochs": 1,
        "out": tmp_path / "run",
    }
    assert main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))]) == 0
    assert len([*(tmp_path / "twins").rglob("*.png")]) == 8
    assert "twin_sizes" in (tmp_path / "run" / "config.yaml").read_text()


def test_an_unknown_autoencoder_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        make_twins([manifest], PseudoConfig(autoencoder=str(tmp_path / "nowhere")), CPU)


def test_every_family_is_audited_for_trivial_cues(manifest: Manifest, tmp_path: Path) -> None:
    config = PseudoConfig(autoencoder="drawn-faces", twin_sizes=(64,), twin_folder=str(tmp_path))
    found = find_pseudo_shortcuts([manifest], kinds(config, make_twins([manifest], config, CPU)), 1, 0)
    assert [row.name for row in found] == ["pseudo", "coarse", "twins", "blended twins"]
    assert all(row.n_real == row.n_fake == 8 for row in found)
