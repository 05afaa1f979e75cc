"""`difffake pretrain-guide` writes a model that loads, goes on where it was, and the shipped one has learned faces."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import pytest

from difffake.commands.main import main
from difffake.commands.pretrain_guide import pretrain_guide
from difffake.data.batches import to_tensors
from difffake.data.drawn import DrawnDataset, write_drawn_faces
from difffake.data.manifest import Manifest
from difffake.diffusion import pretrain as module
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.diffusion.pretrain import held_out_error
from difffake.diffusion.tiny import drawn_faces_folder
from difffake.drawn.people import STUDIO
from difffake.errors import UserError
from difffake.faces.images import read_image

STEPS = 5
"""Of VAE and of U-Net each."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people to learn from and one to measure with, three pictures each."""
    root = tmp_path_factory.mktemp("faces")
    return write_drawn_faces(root, DrawnDataset("few", STUDIO, (2, 1, 0), 1, 3), seed=5, workers=1)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """States after the second, fourth and last step; samples in four steps instead of fifty."""
    steps = module.ddim_steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SAVE_EVERY", 2)
        patch.setattr(module, "ddim_steps", lambda diffusion, count: steps(diffusion, 4))
        yield


def pretrain(faces: Path, out: Path, **more: Any) -> None:
    settings = {"vae_steps": STEPS, "unet_steps": STEPS, "batch_size": 8} | more
    pretrain_guide([faces], out, 64, device="cpu", **settings)


@pytest.fixture(scope="module")
def whole(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from start to end."""
    out = tmp_path_factory.mktemp("whole") / "model"
    pretrain(faces, out)
    return out


def weights(folder: Path) -> dict[str, bytes]:
    files = [*folder.rglob("*.safetensors"), folder / "vae" / "config.json"]  # the config has the latents' scale
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> list[int]:
    """Let the loss that calls `name` be interrupted once, at its given call; gives the number of calls so far."""
    inner, calls = getattr(module, name), [0]

    def counted(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            raise KeyboardInterrupt
        return inner(*arguments)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_the_folder_is_a_diffusion_model_with_its_facts(whole: Path) -> None:
    diffusion = load_diffusion(DiffusionConfig(str(whole)))
    assert (diffusion.scale, diffusion.channels, diffusion.steps) == (8, 4, 1000)
    facts = json.loads((whole / "training.json").read_text())
    assert (facts["faces"], facts["held_out_faces"], facts["image_size"]) == (6, 3, 64)
    assert facts["vae_psnr_db"] > 0
    # Nothing is left of the way there.
    assert not [path.name for path in whole.rglob("*") if path.suffix == ".state" or "partial" in path.name]
    for part in ("vae", "unet"):
        assert len(pd.read_csv(whole / f"{part}.csv", header=None)) == 3  # the first of each two steps that are saved


def test_latents_have_unit_variance(whole: Path, faces: Path) -> None:
    """Over the faces that were learned from, as the noise schedule expects."""
    train = Manifest.read(faces).select(split="train")
    images = to_tensors([read_image(train.file(row)) for row in range(len(train))], 64)
    assert float(load_diffusion(DiffusionConfig(str(whole))).encode(images / 255).std()) == pytest.approx(1, abs=0.01)


def test_samples_are_drawn_in_four_rows_however_few_the_faces(whole: Path) -> None:
    assert cv2.imread(str(whole / "samples.png")).shape == (4 * 64, 3 * 64, 3)


@pytest.mark.parametrize(("loss", "call", "rest"), [("_patches", 4, 3), ("_noise", 4, 3), ("_noise", 5, 1)])
def test_an_interrupted_run_ends_with_the_same_weights(
    faces: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, call: int, rest: int
) -> None:
    """Bit for bit, in the VAE's part as in the U-Net's; what was saved is not computed again."""
    calls = stop_at(monkeypatch, loss, call)
    with pytest.raises(KeyboardInterrupt):
        pretrain(faces, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    before = calls[0]
    pretrain(faces, tmp_path / "model")
    measured = loss == "_noise"  # once more for the error on held-out faces
    assert calls[0] - before == rest + measured
    assert weights(tmp_path / "model") == weights(whole)


def test_an_interrupted_run_does_not_go_on_with_other_settings(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    stop_at(monkeypatch, "_patches", 3)
    with pytest.raises(KeyboardInterrupt):
        pretrain(faces, out)
    with pytest.raises(UserError, match="other settings or inputs") as caught:
        pretrain(faces, out, seed=1)
    assert "\n" not in str(caught.value)
    pretrain(faces, out, seed=1, overwrite=True)
    assert json.loads((out / "training.json").read_text())["seed"] == 1
    with pytest.raises(UserError, match="--overwrite"):
        pretrain(faces, out)


@pytest.mark.parametrize(
    ("option", "value", "status", "message"),
    [
        ("--image-size", "100", 2, "--image-size 100 must be a multiple of 16"),
        ("--image-size", "48", 2, "--image-size 48 must be at least 64"),
        ("--batch-size", "3", 2, "--batch-size 3 must be at least 4"),
        ("--vae-steps", "0", 2, "--vae-steps 0 must be at least 1"),
    ],
)
def test_bad_settings_are_refused_in_one_line(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, status: int, message: str
) -> None:
    arguments = ["pretrain-guide", "--manifest", str(faces), "--out", str(tmp_path / "model"), option, value]
    assert main(arguments) == status
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("difffake pretrain-guide: ")
    assert message in line
    assert not any(tmp_path.iterdir())


def test_faces_of_another_split_are_not_learned_from(faces: Path, tmp_path: Path) -> None:
    table = Manifest.read(faces).select(split="val").table
    table = table.assign(path=[(faces.parent / path).as_posix() for path in table["path"]])
    Manifest(table, tmp_path).write(tmp_path / "val.parquet")
    with pytest.raises(UserError, match="no real faces in the split train"):
        pretrain(tmp_path / "val.parquet", tmp_path / "model")


def test_the_shipped_model_makes_at_most_a_third_of_the_error_of_an_untrained_one_on_unseen_people(
    tmp_path: Path,
) -> None:
    """Mean squared error of the predicted noise, over steps and over 24 people that nothing was trained on.

    Both have the same VAE, so the same latents; predicting no noise at all would give 1. Measured: 0.09 to 1.04.
    """
    people = Manifest.read(write_drawn_faces(tmp_path, DrawnDataset("unseen", STUDIO, (0, 0, 24), 1, 1), seed=77))
    images = to_tensors([read_image(people.file(row)) for row in range(len(people))], 96)
    assert len(images) == 24
    trained, untrained = (
        held_out_error(load_diffusion(DiffusionConfig(pretrained=kept)), images, seed=77) for kept in (True, False)
    )
    assert trained <= untrained / 3
    assert trained < 1 / 3  # also of predicting nothing


def test_the_shipped_model_is_small() -> None:
    assert sum(path.stat().st_size for path in drawn_faces_folder().rglob("*") if path.is_file()) < 8_000_000
