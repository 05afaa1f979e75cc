"""Weights from files and packages: whatever their names begin with, whole or refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from tiny import TinyRun
from torch import Tensor

from difffake.commands.main import main
from difffake.errors import UserError
from difffake.models.checkpoint import inherited_data, inherited_keys, load_detector
from difffake.models.encoder import Encoder
from difffake.models.lite import LITE0, lite_file
from difffake.models.weights import KEY


@pytest.fixture(scope="module")
def donor() -> Encoder:
    """A network whose weights files hold; its batch statistics are no defaults."""
    torch.manual_seed(1)
    encoder = Encoder("resnet10t", image_size=64).train()
    encoder(torch.rand(4, 3, 64, 64))
    return encoder.eval()


def refusal(path: Path, name: str = "resnet10t") -> str:
    """The one line that a file is refused with."""
    with pytest.raises(UserError) as caught:
        Encoder(name, str(path), image_size=64)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("size", "side"), [("lite0", 224), ("lite2", 260)])
def test_package_weights_give_the_outputs_of_the_packages_own_model(size: str, side: int) -> None:
    """At the package's own size, for which its padding is made."""
    weights, network = f"package:efficientnet-{size}", f"tf_efficientnet_{size}"
    own = EfficientNet.from_pretrained(f"efficientnet-{size}", str(lite_file(weights, network))).eval()
    ours = Encoder(network, weights, image_size=side).eval()
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = own.extract_features((images - 0.5) / 0.5)
        features, embedding = ours(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(embedding, expected.mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def wrapped(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


@pytest.mark.parametrize("outer", ["", "model", "state_dict", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "backbone.", "model.", "module._orig_mod.backbone."])
def test_prefixes_and_outer_names_are_left_out(donor: Encoder, tmp_path: Path, prefix: str, outer: str) -> None:
    """Beside an optimizer's state, an epoch, and a classifier that the network here does not have."""
    own = donor.network.state_dict() | {"fc.weight": torch.zeros(9, 512), "fc.bias": torch.zeros(9)}
    state: dict[str, Any] = wrapped(own, prefix)
    moments = {"state": {0: {"exp_avg": torch.zeros(3)}}}
    file = {outer: state, "optimizer": moments, "epoch": 3} if outer else state
    torch.save(file, tmp_path / "weights.pth")
    loaded = Encoder("resnet10t", str(tmp_path / "weights.pth"), image_size=64)
    for key, value in donor.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[key], value)
    assert loaded.channel_mean == (0.485, 0.456, 0.406)
    assert "timm's for resnet10t.c3_in1k; see --model.mean if the file's differ" in loaded.described


def test_names_of_compiled_parts_and_of_another_network_beside(donor: Encoder, tmp_path: Path) -> None:
    """Parts that were compiled have a prefix in the middle; a detector's neck and head are not the encoder's."""
    state = {key.replace("layer1.", "layer1._orig_mod."): value for key, value in donor.network.state_dict().items()}
    other = {"neck.weight": torch.zeros(3), "head.fc.weight": torch.zeros(2, 512)}
    save_file(wrapped(state, "backbone.") | other, tmp_path / "weights.safetensors")
    loaded = Encoder("resnet10t", str(tmp_path / "weights.safetensors"), image_size=64)
    assert all(torch.equal(loaded.network.state_dict()[k], v) for k, v in donor.network.state_dict().items())


def test_a_checkpoint_of_this_package_is_a_start(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Its encoder, its normalization, and what it has seen; by file or by run folder."""
    detector, info = load_detector(tiny_run.ckpt)
    saved = torch.load(tiny_run.ckpt, weights_only=True)
    saved[KEY]["config"] |= {"mean": (0.1, 0.2, 0.3), "std": (0.3, 0.2, 0.1)}
    torch.save(saved, tmp_path / "best.ckpt")
    for weights in (tmp_path, tmp_path / "best.ckpt"):
        encoder = Encoder("resnet10t", str(weights), image_size=64)
        for key, value in detector.encoder.network.state_dict().items():
            assert torch.equal(encoder.network.state_dict()[key], value)
        assert (encoder.channel_mean, encoder.channel_std) == ((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))
        assert inherited_keys(str(weights)) == info.training_keys != frozenset()
    assert "it was trained with --model.encoder resnet10t" in refusal(tiny_run.ckpt, "resnet18")
    for weights in ("none", "timm", LITE0):
        assert inherited_keys(weights) == frozenset()
        assert inherited_data(weights) == []


def test_what_a_start_was_trained_on_is_known_or_said_to_be_unknown(tiny_run: TinyRun, tmp_path: Path) -> None:
    assert inherited_data(str(tiny_run.ckpt)) == load_detector(tiny_run.ckpt)[1].trained_on
    saved = torch.load(tiny_run.ckpt, weights_only=True)
    del saved[KEY]["trained_on"]
    torch.save(saved, tmp_path / "best.ckpt")
    assert inherited_data(str(tmp_path)) is None


def test_a_run_from_a_checkpoint_has_seen_what_that_one_had(tiny_run: TinyRun, tmp_path: Path) -> None:
    """And its config.yaml says how the images are normalized."""
    saved = torch.load(tiny_run.ckpt, weights_only=True)
    saved[KEY]["training_keys"].append("somebody else")
    saved[KEY]["config"] |= {"mean": (0.1, 0.2, 0.3)}
    torch.save(saved, tmp_path / "start.ckpt")
    values = {
        "data.manifest": tiny_run.seen,
        "data.batch_size": 8,
        "data.workers": 0,
        "model.encoder": "resnet10t",
        "model.weights": tmp_path / "start.ckpt",
        "model.image_size": 64,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 1,
        "trainer.enable_progress_bar": "false",
        "out": tmp_path / "run",
    }
    assert main(["fit", *(part for name, value in values.items() for part in (f"--{name}", str(value)))]) == 0
    _, info = load_detector(tmp_path / "run" / "best.ckpt")
    assert "somebody else" in info.training_keys
    assert len(info.training_keys) > 1
    assert info.config.mean == (0.1, 0.2, 0.3)
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]["mean"] == [0.1, 0.2, 0.3]


def test_weights_that_do_not_fit_are_refused_by_what_is_wrong(donor: Encoder, tmp_path: Path) -> None:
    own = donor.network.state_dict()

    def said(state: dict[str, Any], name: str = "resnet10t") -> str:
        torch.save(state, tmp_path / "weights.pth")
        return refusal(tmp_path / "weights.pth", name)

    first = next(iter(own))
    assert f"1 of {sum('tracked' not in key for key in own)} weights are missing, such as {first}" in said(
        {key: value for key, value in own.items() if key != first}
    )
    assert f"{first} is (1, 2) in the file and (24, 3, 3, 3) in the network" in said(own | {first: torch.zeros(1, 2)})
    assert "the network has no layer9.weight" in said(own | {"layer9.weight": torch.zeros(1)})
    message = said({"tower.weight": torch.zeros(1)})
    assert f"none of the network's weights, such as {first}, is in it; it has tower.weight" in message
    assert "--model.weights timm or none" in message
    assert "2 times, below student. and teacher." in said({"student": own, "teacher": own})
    message = refusal(Path(LITE0))
    assert "it is for tf_efficientnet_lite0; for resnet10t write timm or none" in message


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 50)
    (tmp_path / "code.pth").write_bytes(b"\x80\x04\x95cos\nsystem\n")
    torch.save([1, 2], tmp_path / "list.pth")
    assert "cannot be read as weights" in refusal(tmp_path / "broken.safetensors")
    assert "cannot be read as weights" in refusal(tmp_path / "code.pth")
    assert "holds a list, not weights by name" in refusal(tmp_path / "list.pth")
    assert "does not exist" in refusal(tmp_path / "none.pth")
    assert "the packages are package:efficientnet-lite0, " in refusal(Path("package:other"))
