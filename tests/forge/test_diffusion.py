"""The methods that draw with a frozen diffusion model, here a small one with random weights."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from faces import drawn

from difffake.commands.main import main
from difffake.data.drawn import DRAWN_A, write_drawn_faces
from difffake.data.manifest import Manifest
from difffake.data.records import read_records
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.diffusion.tiny import save_diffusion, tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.forge.methods.diffusion_swap import diffusion_swap
from difffake.forge.methods.synthesis import synthesis
from difffake.forge.tools.face import FaceImage, Forged, Unfit, face_width
from difffake.forge.tools.redraw import first_step, redrawn
from difffake.forge.tools.regions import hull
from difffake.randomness import generator

FACES = replace(DRAWN_A, identities=(2, 0, 2), videos=1, frames=2)
BOTH = pytest.mark.parametrize("method", [diffusion_swap, synthesis])
Method = Callable[..., Forged]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("diffusion") / "model"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_diffusion(model, tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    return model


@pytest.fixture(scope="module")
def diffusion(folder: Path) -> LatentDiffusion:
    return load_diffusion(DiffusionConfig(str(folder)))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difffake.forge.tools.redraw.STEPS", 3)


def forge(method: Method, diffusion: LatentDiffusion, target: FaceImage, source: FaceImage, seed: int = 3) -> Forged:
    return method(target, source, generator(seed), generator(seed, 1), diffusion)


def square(size: int, start: int, stop: int) -> np.ndarray:
    mask = np.zeros((size, size), np.float32)
    mask[start:stop, start:stop] = 1
    return mask


def round_trip(diffusion: LatentDiffusion, image: np.ndarray) -> np.ndarray:
    """A picture of the model's own size through its VAE, in [0, 255]."""
    pixels = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 255)
    return 255 * diffusion.decode(diffusion.encode(pixels))[0].permute(1, 2, 0).numpy()


@BOTH
def test_only_pixels_under_the_mask_change(method: Method, diffusion: LatentDiffusion) -> None:
    target, source = drawn(0), drawn(1, size=200)
    before = [array.copy() for face in (target, source) for array in face]
    forged = forge(method, diffusion, target, source)
    assert (forged.image.dtype, forged.image.shape) == (np.uint8, target.image.shape)
    assert (forged.mask.dtype, forged.mask.shape) == (np.float32, target.image.shape[:2])
    assert (forged.mask.min(), forged.landmarks is target.landmarks) == (0, True)
    assert 0.99 <= forged.mask.max() <= 1
    np.testing.assert_array_equal(forged.image[forged.mask == 0], target.image[forged.mask == 0])
    assert (forged.image != target.image).any(axis=2)[forged.mask > 0.9].mean() > 0.5
    for array, kept in zip((array for face in (target, source) for array in face), before, strict=True):
        np.testing.assert_array_equal(array, kept, "the arguments are not written to")


@BOTH
def test_equal_generators_draw_equal_bytes(method: Method, diffusion: LatentDiffusion) -> None:
    first = forge(method, diffusion, drawn(0), drawn(1))
    assert forge(method, diffusion, drawn(0), drawn(1)).image.tobytes() == first.image.tobytes()
    other = forge(method, diffusion, drawn(0), drawn(1), seed=4)
    assert other.image.tobytes() != first.image.tobytes()
    assert other.parameters.keys() == first.parameters.keys()
    assert other.parameters != first.parameters


def test_the_source_is_in_a_swap_and_not_in_a_synthetic_face(diffusion: LatentDiffusion) -> None:
    swapped, other = (forge(diffusion_swap, diffusion, drawn(0), drawn(person)) for person in (1, 2))
    np.testing.assert_array_equal(swapped.mask, other.mask)
    assert (swapped.image != other.image).any(axis=2)[swapped.mask > 0.9].mean() > 0.5
    alone, again = (forge(synthesis, diffusion, drawn(0), drawn(person)) for person in (1, 2))
    np.testing.assert_array_equal(alone.image, again.image)


def test_a_synthetic_face_has_a_forehead_of_its_own(diffusion: LatentDiffusion) -> None:
    target = drawn(0)
    masks = [forge(method, diffusion, target, drawn(1)).mask for method in (diffusion_swap, synthesis)]
    middle = target.landmarks[[21, 22]].mean(axis=0) - [0, 0.2 * face_width(target.landmarks)]
    x, y = middle.round().astype(int)
    assert masks[0][y, x] < 0.1 < 0.9 < masks[1][y, x]
    inner = hull(target.landmarks[17:], target.image.shape) == 255  # brows, eyes, nose and mouth
    assert all(mask[inner].mean() > 0.8 for mask in masks)


@BOTH
def test_faces_that_cannot_be_forged(method: Method, diffusion: LatentDiffusion) -> None:
    face = drawn(0)
    outside = face._replace(landmarks=face.landmarks + 1000)
    with pytest.raises(Unfit, match="no part of the face"):
        forge(method, diffusion, outside, drawn(1))
    with pytest.raises(UserError, match="a forgery needs 68 landmarks"):
        forge(method, diffusion, face._replace(landmarks=face.landmarks[:5]), drawn(1))


def test_around_the_mask_the_latents_are_the_targets(
    diffusion: LatentDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, picture = drawn(0, size=96).image, drawn(1, size=96).image
    decoded = []
    decode = diffusion.decode
    monkeypatch.setattr(diffusion, "decode", lambda latents: decoded.append(latents) or decode(latents))
    drawn_anew = redrawn(diffusion, picture, target, square(96, 32, 60), 0.5, generator(0))
    assert drawn_anew.shape == target.shape
    assert 0 <= drawn_anew.min() < drawn_anew.max() <= 255
    known = diffusion.encode(torch.from_numpy(target.transpose(2, 0, 1)[None].astype(np.float32) / 255))
    same = (decoded[0] - known).abs().amax(dim=(0, 1)) < 1e-3
    touched = np.zeros((12, 12), bool)
    touched[4:8, 4:8] = True  # pixels 32 to 59, eight a latent: the last one is touched in part
    np.testing.assert_array_equal(same.numpy(), ~touched)


def test_around_the_mask_the_picture_is_the_targets_round_trip(diffusion: LatentDiffusion) -> None:
    target, picture = drawn(0, size=96).image, drawn(1, size=96).image
    trip = round_trip(diffusion, target)
    nothing = redrawn(diffusion, picture, target, square(96, 0, 0), 0.5, generator(0))
    np.testing.assert_allclose(nothing, trip, atol=0.1)
    # The VAE's normalization and attention, here random, spread some of what is drawn over the whole picture.
    error = np.abs(redrawn(diffusion, picture, target, square(96, 40, 56), 0.5, generator(0)) - trip)
    assert error[square(96, 16, 80) == 0].mean() < 0.5 * error[40:56, 40:56].mean()


def test_with_next_to_no_noise_a_picture_comes_back_through_the_vae(diffusion: LatentDiffusion) -> None:
    image, target = drawn(0, size=96).image, drawn(1, size=96).image
    trip, everywhere = round_trip(diffusion, image), square(96, 0, 96)
    weak, strong = (
        np.abs(redrawn(diffusion, image, target, everywhere, strength, generator(0)) - trip).mean()
        for strength in (1e-6, 0.8)
    )
    assert weak < 8  # the noise of the first step, which a random U-Net does not take away
    assert strong > 3 * weak


def test_a_perfect_model_gives_the_picture_back_at_any_strength(
    diffusion: LatentDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = torch.from_numpy(generator(5).standard_normal((1, 4, 12, 12), dtype=np.float32))
    monkeypatch.setattr(diffusion, "predict_noise", lambda latents, timestep: noise)
    image, target = drawn(0, size=96).image, drawn(1, size=96).image
    for strength in (0.3, 0.8):
        back = redrawn(diffusion, image, target, square(96, 0, 96), strength, generator(5))
        np.testing.assert_allclose(back, round_trip(diffusion, image), atol=0.5)


def test_a_strength_means_less_noise_where_there_are_fewer_latents(diffusion: LatentDiffusion) -> None:
    assert [first_step(diffusion, strength, 64) for strength in (0, 0.5, 1)] == [0, 499, 999]
    ratio = diffusion.signal / (1 - diffusion.signal)
    for side in (12, 16, 32):
        step = first_step(diffusion, 0.5, side)
        assert float(ratio[step] / ratio[499]) == pytest.approx((64 / side) ** 2, rel=0.02)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_faces(tmp_path_factory.mktemp("faces"), FACES).parent


def test_a_whole_run_of_both_methods(faces: Path, folder: Path, tmp_path: Path) -> None:
    def run(name: str, seed: int) -> Path:
        options = f"--methods diffusion_swap synthesis --compression raw --size 64 --workers 1 --seed {seed}"
        paths = ["--manifest", str(faces), "--diffusion", str(folder), "--out", str(tmp_path / name)]
        assert main(["forge", *paths, *options.split()]) == 0
        return tmp_path / name

    first = run("first", 0)
    made = Manifest.read(first).table
    assert made["method"].value_counts().to_dict() == {"real": 8, "diffusion_swap": 8, "synthesis": 8}
    records = read_records(first)
    assert records is not None
    assert sorted(records["path"]) == sorted(made["path"][made["label"] == 1])
    own = (records["source_path"] == records["target_path"]).to_numpy()
    np.testing.assert_array_equal(own, records["method"] == "synthesis")
    fakes = made[made["label"] == 1]
    np.testing.assert_array_equal(fakes["source"] == fakes["target"], fakes["method"] == "synthesis")
    for record in records.to_dict("records"):
        mask = cv2.imread(str(first / record["mask_path"]), cv2.IMREAD_UNCHANGED)
        crop, target = (read_image(first / record[name]) for name in ("path", "target_path"))
        assert (mask.shape, crop.shape) == ((64, 64), (64, 64, 3))
        np.testing.assert_array_equal(crop[mask == 0], target[mask == 0])
        assert json.loads(record["parameters"]).keys() == {"inwards", "feather", "strength"}

    def content(root: Path) -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert content(run("again", 0)) == content(first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--methods faceswap synthesis",
            "synthesis: give a model as --diffusion: a folder from `difffake pretrain-guide",
        ),
        ("--methods diffusion_swap synthesis", "diffusion_swap, synthesis: give a model as --diffusion"),
        ("--methods faceswap --diffusion drawn-faces", "--diffusion is only for diffusion_swap and synthesis: add one"),
        ("--methods synthesis --diffusion nowhere", "nowhere is neither a folder nor a Hub name"),
    ],
)
def test_wrong_options_end_in_one_line(
    options: str, message: str, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["forge", "--manifest", str(faces), "--out", str(out), *options.split()]) == 1
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
