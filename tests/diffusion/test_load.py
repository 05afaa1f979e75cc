"""Loading a frozen diffusion model: a folder like Stable Diffusion 1.5's, the package's own, and what goes wrong.

The real one has wider layers, but the same classes, files and settings, and passes through the same code.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from stable_diffusion import SCHEDULER, START, TEXT_WIDTH, WIDTHS, write_stable_diffusion
from transformers import CLIPTextModel

from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.errors import UserError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("models") / "sd")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(whole, tmp_path / "sd"))


def error_of(name: Path | str) -> str:
    with pytest.raises(UserError) as caught:
        load_diffusion(DiffusionConfig(str(name)))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_like_stable_diffusion_loads(whole: Path) -> None:
    diffusion = load_diffusion(DiffusionConfig(str(whole)))
    assert (diffusion.width, diffusion.channels, diffusion.scale, diffusion.steps) == (WIDTHS[0], 4, 8, 1000)
    assert diffusion.prompt.shape == (1, 77, TEXT_WIDTH)
    assert torch.equal(diffusion.unet.conv_in.weight, load_weights(whole / "unet")["conv_in.weight"])
    # The schedule of Stable Diffusion: betas linear in their square root.
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    assert torch.allclose(diffusion.signal.double(), (1 - betas).cumprod(0), atol=1e-6)


def test_the_prompt_is_the_text_encoders_output_for_the_empty_text(whole: Path) -> None:
    """Start token, then end tokens up to the length of 77, as Stable Diffusion's pipeline pads it."""
    tokens = torch.tensor([[START, *[START + 1] * 76]])
    encoder = CLIPTextModel.from_pretrained(whole, subfolder="text_encoder")
    with torch.no_grad():
        wanted = encoder(tokens).last_hidden_state
    assert torch.allclose(load_diffusion(DiffusionConfig(str(whole))).prompt, wanted, atol=1e-6)


def test_precision_is_the_unets_alone(whole: Path) -> None:
    diffusion = load_diffusion(DiffusionConfig(str(whole), precision="bfloat16"))
    assert diffusion.unet.dtype == diffusion.prompt.dtype == torch.bfloat16
    assert {value.dtype for value in diffusion.vae.parameters()} == {torch.float32}
    exact = load_diffusion(DiffusionConfig(str(whole)))
    latents, step = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    got, wanted = diffusion.predict_noise(latents, step), exact.predict_noise(latents, step)
    assert got.dtype == torch.float32
    assert (got - wanted).square().mean() < 1e-3 * wanted.square().mean()


def test_without_pretraining_the_unet_is_random_and_the_vae_kept(whole: Path) -> None:
    trained = load_diffusion(DiffusionConfig(str(whole)))
    before = torch.get_rng_state()
    random, again, other = (load_diffusion(DiffusionConfig(str(whole), pretrained=False), seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert random.vae_fingerprint == trained.vae_fingerprint
    assert random.fingerprint() == again.fingerprint()
    assert len({model.fingerprint() for model in (trained, random, other)}) == 3


def test_a_missing_part_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "scheduler")
    assert "has no folder scheduler" in error_of(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert "unet cannot be loaded" in error_of(folder)


def test_a_missing_text_encoder_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")
    assert "has no folder text_encoder" in error_of(folder)


def test_a_broken_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer" / "vocab.json").write_text("{")
    (folder / "tokenizer" / "merges.txt").unlink()
    assert "tokenizer" in error_of(folder)


def test_a_truncated_file_is_refused(folder: Path) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "vae cannot be loaded" in error_of(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    config["block_out_channels"] = [64, 64, 64, 64]
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    assert "unet" in error_of(folder)


def test_missing_weights_are_refused(folder: Path) -> None:
    """diffusers itself only warns, and leaves them random."""
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["mid_block.resnets.0.conv1.weight"]
    save_file(weights, file)
    message = error_of(folder)
    assert "1 weights are missing" in message
    assert "mid_block.resnets.0.conv1.weight" in message


def test_another_kind_of_model_is_refused(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    config["_class_name"] = "UNet2DModel"
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    assert "is a UNet2DModel, not a UNet2DConditionModel" in error_of(folder)


def test_parts_that_do_not_fit_each_other_are_refused(folder: Path) -> None:
    """A prompt of another width, as of another Stable Diffusion's text encoder."""
    shutil.rmtree(folder / "text_encoder")
    save_file({"prompt": torch.zeros(1, 77, 20)}, folder / "empty_prompt.safetensors")
    assert f"has 20 channels, but the U-Net needs {TEXT_WIDTH}" in error_of(folder)


def test_pickled_weights_are_never_read(folder: Path) -> None:
    """They could run code."""
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(file), file.with_name("diffusion_pytorch_model.bin"))
    file.unlink()
    assert "unet cannot be loaded" in error_of(folder)


def test_an_incomplete_text_encoder_is_refused(folder: Path) -> None:
    """transformers itself only reports it, and the prompt would be random."""
    file = folder / "text_encoder" / "model.safetensors"
    weights = load_file(file)
    for name in [name for name in weights if "layers.1" in name]:
        del weights[name]
    save_file(weights, file, metadata={"format": "pt"})
    assert "text_encoder: 16 weights are missing" in error_of(folder)


def test_a_pickled_text_encoder_is_not_read(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    torch.save(load_file(file), file.with_name("pytorch_model.bin"))
    file.unlink()
    assert "text_encoder cannot be loaded" in error_of(folder)


@pytest.mark.parametrize("settings", [{}, {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}])
def test_another_kind_of_schedule_is_refused(folder: Path, settings: dict[str, object]) -> None:
    """diffusers would take its own default instead, in silence."""
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    assert "has no betas" in error_of(folder)


def test_a_schedule_that_leaves_nothing_of_the_image_is_refused(folder: Path) -> None:
    settings = SCHEDULER | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    assert "has alpha-bar 0 at the last step" in error_of(folder)


@pytest.mark.parametrize("shape", [(TEXT_WIDTH,), (2, 77, TEXT_WIDTH)])
def test_a_prompt_of_another_shape_is_refused(folder: Path, shape: tuple[int, ...]) -> None:
    save_file({"prompt": torch.zeros(shape)}, folder / "empty_prompt.safetensors")
    assert "not (1, length, channels)" in error_of(folder)


def test_a_mistyped_folder_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "neither a folder nor a Hub name" in error_of("models/faecs")


@pytest.mark.parametrize("name", ["no_such_folder", "./no/such/folder", "a/b/c"])
def test_a_name_that_is_nothing_is_refused(name: str) -> None:
    assert "neither a folder nor a Hub name" in error_of(name)


def load_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "diffusion_pytorch_model.safetensors")
