"""An encoder of one's own by class path: in a config, in a checkpoint, and imported only where that is allowed."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny import TinyRun

from difffake.commands.main import main
from difffake.errors import UserError
from difffake.models.checkpoint import load_detector
from difffake.models.class_path import EncoderClass
from difffake.models.detector import DetectorConfig, build_detector
from difffake.models.encoder import Encoder

SOURCE = """
from subprocess import Popen

import torch
from torch import nn

class MyEncoder(nn.Module):
    def __init__(self, width: int = 4, pair: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 8, stride=8)
        self.norm = nn.BatchNorm2d(width)
        self.pair = pair

    def forward(self, images):
        features = self.norm(self.conv(images))
        return (features, features.amax(dim=(2, 3))) if self.pair else features

class NoMap(MyEncoder):
    def forward(self, images):
        return super().forward(images).flatten(1)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package that can be imported, and has not been yet."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "someones_package.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    yield "someones_package"
    sys.modules.pop("someones_package", None)


def named(package: str, name: str = "MyEncoder", **arguments: Any) -> EncoderClass:
    return EncoderClass(f"{package}.{name}", arguments)


def test_a_map_alone_or_with_an_embedding(package: str) -> None:
    images = torch.rand(2, 3, 32, 32)
    for pair in (False, True):
        encoder = Encoder(named(package, width=5, pair=pair), image_size=32, imports=(package,)).eval()
        network = encoder.network
        with torch.no_grad():
            features, embedding = encoder(images)
            wanted = network.norm(network.conv((images - 0.5) / 0.5))
        torch.testing.assert_close(features, wanted)
        torch.testing.assert_close(embedding, wanted.amax(dim=(2, 3)) if pair else wanted.mean(dim=(2, 3)))
        assert (encoder.channels, encoder.dimension, encoder.stride) == (5, 5, 8)


def test_settings_of_training_work_for_it(package: str, tmp_path: Path) -> None:
    config = DetectorConfig(named(package), 32, bn_momentum=0.01, trainable="norm", head="cosine")
    detector = build_detector(config, imports=(package,))
    learning = [name for name, p in detector.named_parameters() if p.requires_grad and name.startswith("encoder")]
    assert learning == ["encoder.network.norm.weight", "encoder.network.norm.bias"]
    assert detector.encoder.network.norm.momentum == 0.01
    torch.save({"model": detector.encoder.network.state_dict()}, tmp_path / "weights.pth")
    again = Encoder(named(package), str(tmp_path / "weights.pth"), image_size=32, imports=(package,))
    assert torch.equal(again.network.conv.weight, detector.encoder.network.conv.weight)


def test_only_what_is_allowed_is_imported(package: str) -> None:
    with pytest.raises(UserError, match="is code outside difffake: add --imports someones_package if you trust it"):
        Encoder(named(package), imports=("someones",))
    assert package not in sys.modules
    with pytest.raises(UserError, match=r"is no class of its own package"):
        Encoder(named(package, "Popen", args="true"), imports=(package,))
    with pytest.raises(UserError, match=r"is no class of its own package"):
        Encoder(named("difffake.models.encoder", "_BatchNorm", num_features=3))
    inner = named("difffake.models.encoder", "Encoder", encoder="resnet10t", image_size=64)
    assert Encoder(inner, image_size=64).channels == 512  # what difffake has needs no permission


@pytest.mark.parametrize(
    ("encoder", "settings", "message"),
    [
        (named("someones_package", "Nothing"), {}, "cannot be imported"),
        (named("someones_package", depth=3), {}, "cannot be made with init_args {'depth': 3}"),
        (named("someones_package", "NoMap"), {}, "NoMap cannot be used"),
        (named("someones_package"), {"weights": "timm"}, "is not timm's: write none, or name a file"),
        (named("someones_package"), {"drop_path": 0.1}, "--model.drop_path is for timm's networks"),
        (named("someones_package"), {"trainable": "last_blocks 1"}, "by a `group_matcher` method"),
    ],
)
def test_mistakes_are_explained(encoder: EncoderClass, settings: dict[str, Any], message: str, package: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Encoder(encoder, image_size=32, imports=(package,), **settings)
    assert "\n" not in str(caught.value)


def test_a_run_with_it_is_stored_and_read_back(
    package: str, tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named in YAML, kept in config.yaml and in the checkpoint, which runs no code of others unless it is allowed."""
    config = {
        "model": {
            "encoder": asdict(named(package, width=6)),
            "weights": "none",
            "image_size": 64,
            "mean": [0.4, 0.5, 0.6],
            "trainable": "head",
            "optimizer": {"name": "adamw"},
        },
        "data": {"manifest": str(tiny_run.seen), "batch_size": 8, "workers": 0},
        "trainer": {"max_epochs": 1, "limit_train_batches": 2, "enable_progress_bar": False},
        "out": str(tmp_path / "run"),
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(tmp_path / "config.yaml")]) == 0
    said = " ".join(" ".join(capsys.readouterr()).split())
    assert "encoder someones_package.MyEncoder, images normalized with mean 0.4 0.5 0.6 and std 0.5 0.5 0.5" in said
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"]
    assert written["encoder"] == asdict(named(package, width=6))
    assert (written["mean"], written["std"]) == ([0.4, 0.5, 0.6], [0.5, 0.5, 0.5])
    best = tmp_path / "run" / "best.ckpt"
    del sys.modules[package]
    with pytest.raises(UserError, match="add --imports someones_package"):
        load_detector(best)
    assert package not in sys.modules
    detector, info = load_detector(best, imports=(package,))
    assert (info.config.encoder, info.config.mean) == (named(package, width=6), (0.4, 0.5, 0.6))
    assert info.config.trainable == "head"
    assert all(p.requires_grad for p in detector.parameters())
    saved = torch.load(best, weights_only=True)["optimizer_states"][0]["param_groups"][0]["params"]
    assert len(saved) == 2  # the optimizer has the head alone
    again = ["fit", "--config", str(tmp_path / "config.yaml"), "--resume", "--trainer.max_epochs", "2"]
    assert main([*again, "--model.trainable", "all"]) == 1
    assert "had --model.trainable head, not all" in " ".join(capsys.readouterr().err.split())
    other = '{"class_path": "someones_package.MyEncoder"}'
    assert main([*again, "--model.encoder", other]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"had --model.encoder {named(package, width=6)}, not {named(package)}: give the same" in said
    assert main([*again, "--model.encoder", '{"class": "someones_package.MyEncoder"}']) == 1
    assert 'must have "class_path" and, if it takes any, "init_args"; nothing else' in capsys.readouterr().err
    assert main(again) == 0
