"""A guided run's checkpoint gives its detector to anyone, and its guide only beside the model that taught it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import GuidedRun

from difffake.diffusion.load import DiffusionConfig
from difffake.errors import UserError
from difffake.models.checkpoint import GUIDE_PREFIX, PREFIX, TAUGHT_KEY, load_detector, load_taught

ALONE = """
import sys
sys.modules["diffusers"] = sys.modules["transformers"] = None  # their import fails
import numpy as np
import torch
from difffake.predict.predictor import Predictor
from difffake.models.checkpoint import load_detector
detector, info = load_detector(sys.argv[1])
with torch.no_grad():
    logit = detector(torch.from_numpy(np.load(sys.argv[2]))).logit
np.save(sys.argv[3], logit.numpy())
"""


def error_of(path: Path, like: Path, diffusion: DiffusionConfig | None = None) -> str:
    """The only line of what `load_taught` refuses with; `like` is a checkpoint whose detector is whole."""
    detector, _ = load_detector(like)
    with pytest.raises(UserError) as caught:
        load_taught(path, detector, diffusion)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_guided_detector_loads_where_diffusers_is_not_installed(guided_run: GuidedRun, tmp_path: Path) -> None:
    """In a process of its own, as what was imported here cannot be undone."""
    images = np.random.default_rng(0).random((3, 3, 64, 64), np.float32)
    np.save(tmp_path / "images.npy", images)
    files = [str(path) for path in (guided_run.ckpt, tmp_path / "images.npy", tmp_path / "logit.npy")]
    command = [sys.executable, "-c", ALONE, *files]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())})
    detector, info = load_detector(guided_run.ckpt)
    with torch.no_grad():
        wanted = detector(torch.from_numpy(images)).logit
    np.testing.assert_array_equal(np.load(tmp_path / "logit.npy"), wanted.numpy())
    assert info.threshold is not None


def test_the_guide_comes_back_bit_for_bit(guided_run: GuidedRun) -> None:
    detector, _ = load_detector(guided_run.ckpt)
    guide, noise_learning, diffusion = load_taught(guided_run.ckpt, detector)
    assert guide
    assert noise_learning is None
    saved = torch.load(guided_run.ckpt, weights_only=True)["state_dict"]
    wanted = {name.removeprefix(GUIDE_PREFIX): value for name, value in saved.items() if name.startswith(GUIDE_PREFIX)}
    found = guide.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    # Trained: the convolutions that begin with zeros no longer are, so that the comparison says something.
    assert any(value.any() for name, value in found.items() if "controlnet_down_blocks" in name)
    assert not guide.training
    assert guide.config.weight == "linear"
    assert diffusion.name == str(guided_run.diffusion)


def test_the_frozen_model_may_have_moved(guided_run: GuidedRun, tmp_path: Path) -> None:
    """It is known by its weights, not by its name."""
    moved = shutil.copytree(guided_run.diffusion, tmp_path / "elsewhere")
    detector, _ = load_detector(guided_run.ckpt)
    taught = load_taught(guided_run.ckpt, detector, DiffusionConfig(str(moved)))
    assert taught.diffusion.name == str(moved)


def test_a_checkpoint_without_a_guide_is_refused(guided_run: GuidedRun, tmp_path: Path) -> None:
    """As a run without --model.guide writes it: neither entry nor weights."""
    plain = tmp_path / "plain.ckpt"
    saved = torch.load(guided_run.ckpt, weights_only=True)
    del saved[TAUGHT_KEY]
    saved["state_dict"] = {name: value for name, value in saved["state_dict"].items() if name.startswith(PREFIX)}
    torch.save(saved, plain)
    assert "trained without a diffusion model" in error_of(plain, plain)


def test_another_frozen_model_is_refused(guided_run: GuidedRun) -> None:
    """Another folder with the same networks, and the same folder with a U-Net of other random weights."""
    for other in (DiffusionConfig(), DiffusionConfig(str(guided_run.diffusion), pretrained=False)):
        message = error_of(guided_run.ckpt, guided_run.ckpt, other)
        assert "was taught by another diffusion model" in message
        assert other.name in message


def test_a_broken_guide_is_refused(guided_run: GuidedRun, tmp_path: Path) -> None:
    saved = torch.load(guided_run.ckpt, weights_only=True)
    del saved["state_dict"][next(name for name in saved["state_dict"] if name.startswith(GUIDE_PREFIX))]
    torch.save(saved, tmp_path / "broken.ckpt")
    assert "is not a whole checkpoint" in error_of(tmp_path / "broken.ckpt", guided_run.ckpt)
