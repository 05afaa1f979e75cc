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

from difffake.diffusion.tiny import DRAWN_FACES
from difffake.errors import UserError
from difffake.models.checkpoint import PREFIX, load_detector
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.saved import REGULARIZERS, load_regularizers

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


PART = "regularizers.guide."


def error_of(path: Path, like: Path, diffusion: str | None = None) -> str:
    """The only line of what `load_regularizers` refuses with; `like` is a checkpoint whose detector is whole."""
    detector, _ = load_detector(like)
    with pytest.raises(UserError) as caught:
        load_regularizers(path, detector, diffusion)
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
    regularizers, teacher = load_regularizers(guided_run.ckpt, detector)
    guide = regularizers["guide"]
    assert isinstance(guide, Guide)
    assert len(regularizers) == 1
    saved = torch.load(guided_run.ckpt, weights_only=True)["state_dict"]
    wanted = {name.removeprefix(PART): value for name, value in saved.items() if name.startswith(PART)}
    found = guide.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    # Trained: the convolutions that begin with zeros no longer are, so that the comparison says something.
    assert any(value.any() for name, value in found.items() if "controlnet_down_blocks" in name)
    assert not guide.training
    assert guide.settings["weight"] == "linear"
    assert teacher.diffusion.name == str(guided_run.diffusion)


def test_the_frozen_model_may_have_moved(guided_run: GuidedRun, tmp_path: Path) -> None:
    """It is known by its weights, not by its name."""
    moved = shutil.copytree(guided_run.diffusion, tmp_path / "elsewhere")
    detector, _ = load_detector(guided_run.ckpt)
    _, teacher = load_regularizers(guided_run.ckpt, detector, str(moved))
    assert teacher.diffusion.name == str(moved)


def test_a_checkpoint_without_regularizers_has_none_and_needs_no_frozen_model(
    guided_run: GuidedRun, tmp_path: Path
) -> None:
    """As a run without regularizers writes it: neither entry nor weights."""
    plain = tmp_path / "plain.ckpt"
    saved = torch.load(guided_run.ckpt, weights_only=True)
    del saved[REGULARIZERS]
    saved["state_dict"] = {name: value for name, value in saved["state_dict"].items() if name.startswith(PREFIX)}
    torch.save(saved, plain)
    regularizers, teacher = load_regularizers(plain, load_detector(plain)[0])
    assert not regularizers.each()
    assert not teacher.loaded


def test_another_frozen_model_is_refused(guided_run: GuidedRun) -> None:
    """Another folder with the same networks."""
    message = error_of(guided_run.ckpt, guided_run.ckpt, DRAWN_FACES)
    assert "was trained with another diffusion model" in message
    assert DRAWN_FACES in message


def test_code_outside_the_package_is_imported_only_if_it_is_named(guided_run: GuidedRun, tmp_path: Path) -> None:
    saved = torch.load(guided_run.ckpt, weights_only=True)
    saved[REGULARIZERS]["parts"]["guide"]["class_path"] = "pickle.Unpickler"
    torch.save(saved, tmp_path / "foreign.ckpt")
    detector, _ = load_detector(guided_run.ckpt)
    with pytest.raises(UserError, match=r"pickle\.Unpickler is code outside difffake: add --imports pickle"):
        load_regularizers(tmp_path / "foreign.ckpt", detector)


def test_a_broken_guide_is_refused(guided_run: GuidedRun, tmp_path: Path) -> None:
    saved = torch.load(guided_run.ckpt, weights_only=True)
    del saved["state_dict"][next(name for name in saved["state_dict"] if name.startswith(PART))]
    torch.save(saved, tmp_path / "broken.ckpt")
    assert "is not a complete checkpoint" in error_of(tmp_path / "broken.ckpt", guided_run.ckpt)
