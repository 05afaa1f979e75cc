"""Model folders: the detector of the checkpoint, in half the bytes if asked for, and one line for what is broken."""

import json
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TinyRun

from difffake.errors import UserError
from difffake.models.checkpoint import CheckpointInfo, inherited_keys, load_detector
from difffake.models.model_config import CONFIG
from difffake.models.model_folder import WEIGHTS, write_model
from difffake.models.weights import load_weights

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def written(run: TinyRun, folder: Path, dtype: str) -> Path:
    detector, info = load_detector(run.ckpt)
    folder.mkdir()
    write_model(folder, detector.state_dict(), {"detector": info.to_dict()}, dtype)  # type: ignore[arg-type]
    return folder


def logits(path: Path) -> torch.Tensor:
    with torch.inference_mode():
        return load_detector(path)[0](IMAGES).logit


def test_a_folder_holds_the_detector_of_the_checkpoint(tiny_run: TinyRun, tmp_path: Path) -> None:
    exact, rounded = (written(tiny_run, tmp_path / dtype, dtype) for dtype in ("float32", "float16"))
    assert torch.equal(logits(exact), logits(tiny_run.ckpt))
    assert torch.equal(logits(exact / CONFIG), logits(exact))
    torch.testing.assert_close(logits(rounded), logits(tiny_run.ckpt), atol=0.02, rtol=0.02)
    assert not torch.equal(logits(rounded), logits(exact))
    assert {value.dtype for value in load_detector(rounded)[0].parameters()} == {torch.float32}
    sizes = [(folder / WEIGHTS).stat().st_size for folder in (exact, rounded)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.05)
    assert load_detector(rounded)[1] == load_detector(tiny_run.ckpt)[1]
    assert {stat.S_IMODE(file.stat().st_mode) & 0o044 for file in rounded.iterdir()} == {0o044}  # others may read


def test_training_can_start_from_a_folder(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = written(tiny_run, tmp_path / "model", "float32")
    network = load_detector(tiny_run.ckpt)[0].encoder.network
    expected = {name: value.clone() for name, value in network.state_dict().items()}
    for value in network.parameters():
        torch.nn.init.zeros_(value)
    own = load_weights(network, str(folder), load_detector(tiny_run.ckpt)[1].config.name)
    assert own
    info = load_detector(tiny_run.ckpt)[1]
    assert CheckpointInfo.from_dict(own) == info
    for name, value in network.state_dict().items():
        assert torch.equal(value, expected[name])
    assert inherited_keys(str(folder)) == info.training_keys


def test_weights_too_large_for_float16_are_refused(tiny_run: TinyRun, tmp_path: Path) -> None:
    weights = {"head.weight": torch.tensor([1e6])}
    with pytest.raises(UserError, match=r"head\.weight has numbers that are not finite as float16: write float32"):
        write_model(tmp_path, weights, {}, "float16")
    assert not list(tmp_path.iterdir())


def swapped(folder: Path) -> None:
    found = load_file(folder / WEIGHTS)
    save_file({name: value + 1 for name, value in found.items()}, folder / WEIGHTS)


def changed(folder: Path, **entries: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config["detector"] |= entries
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "was changed or is damaged"),
        (swapped, "was changed or is damaged"),
        (lambda f: (f / WEIGHTS).unlink(), "model.safetensors does not exist"),
        (lambda f: (f / CONFIG).write_text("{"), "config.json is broken or not from difffake"),
        (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\x00"), "is broken or not from difffake"),
        (lambda f: (f / CONFIG).write_text("[" * 100_000), "is broken or not from difffake"),
        (lambda f: (f / CONFIG).write_text('{"model_type": "bert"}'), "is broken or not from difffake"),
        (lambda f: changed(f, config={"encoder": "resnet10t", "head": "cosine"}), "is not a complete checkpoint"),
        (lambda f: changed(f, config={"encoder": "hf-hub:ann/model"}), "is not a timm network"),
        (lambda f: changed(f, config={"encoder": {"class_path": "os.system", "init_args": {}}}), "code outside"),
        (lambda f: changed(f, threshold=None, pseudo=3), "is not a complete checkpoint"),
    ],
)
def test_what_is_broken_is_refused_in_one_line(tiny_run: TinyRun, tmp_path: Path, damage: object, message: str) -> None:
    folder = written(tiny_run, tmp_path / "model", "float16")
    damage(folder)  # type: ignore[operator]
    with pytest.raises(UserError, match=message) as caught:
        load_detector(folder)
    assert "\n" not in str(caught.value)
