"""Detectors as programs for onnxruntime, compared with torch."""

import collections
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from drawn_clips import drawn
from tiny import TinyRun
from torch import Tensor, nn

from difffake.files import shipped
from difffake.models.class_path import EncoderClass
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.fold import fold_batch_norms
from difffake.predict import compiled as module
from difffake.predict.compiled import compiled
from difffake.predict.exportable import facts_of
from difffake.predict.onnx_scorer import Facts, OnnxScorer
from difffake.predict.torch_scorer import TorchScorer


def facts(detector: Detector) -> Facts:
    size = detector.config.image_size
    return Facts("0", "0" * 64, detector.config.name, size, None, None, None, "float32")


def trained(encoder: str, size: int) -> Detector:
    """A network with random weights whose batch norms have seen images, so that its outputs are not close to 0."""
    torch.manual_seed(0)
    detector = build_detector(DetectorConfig(encoder, size)).train()
    for layer in detector.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.5
    with torch.no_grad():
        for _ in range(5):
            detector(torch.rand(8, 3, size, size))
    return detector.eval()


@pytest.mark.parametrize(
    ("encoder", "size"),
    [
        ("tf_efficientnet_lite0", 96),  # pads as TensorFlow does, which depends on the size
        ("tf_efficientnetv2_b0", 75),
        ("mobilenetv3_small_100", 64),
        ("resnet18", 65),
        ("convnext_atto", 64),
        ("vit_tiny_patch16_224", 64),
        ("nf_regnet_b0", 64),
    ],
)
def test_a_program_gives_torchs_scores_for_any_number_of_images(encoder: str, size: int, tmp_path: Path) -> None:
    detector = fold_batch_norms(trained(encoder, size))
    program = compiled(detector, facts(detector))
    assert program
    images = np.random.default_rng(0).integers(0, 256, (7, 3, size, size), dtype=np.uint8)
    with torch.inference_mode():
        expected = detector(torch.from_numpy(images) / 255)
    assert float(expected.embedding.std()) > 0.01
    (tmp_path / "x.onnx").write_bytes(program)
    scorer = OnnxScorer(tmp_path / "x.onnx")
    for count in (1, 2, 7):
        found = scorer.run(images[:count])
        np.testing.assert_allclose(found.logits, expected.logit[:count], atol=1e-4)
        np.testing.assert_allclose(found.embeddings, expected.embedding[:count], atol=1e-4, rtol=1e-4)


def test_padding_batch_norms_and_activations_are_part_of_the_convolutions(tmp_path: Path) -> None:
    """Or most of the gain would be lost: what onnxruntime runs is looked at after its own optimization."""
    scorer = TorchScorer(shipped("detector"), "cpu")
    program = compiled(scorer.detector, facts_of(scorer.info, scorer.path))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    counts = collections.Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert counts["Conv"] == 49  # all of an EfficientNet-Lite0
    assert not {"Pad", "BatchNormalization", "Clip", "Shape"} & set(counts)


def test_torch_runs_on_after_it(tiny_run: TinyRun) -> None:
    """Activation maps are made with the same network, which keeps its layout in memory."""
    crops = [drawn(seed)[0] for seed in range(3)]
    scorer = TorchScorer(tiny_run.ckpt, "cpu")
    before = scorer(crops), scorer.activation_maps(crops)
    assert compiled(scorer.detector, facts_of(scorer.info, scorer.path))
    after = scorer(crops), scorer.activation_maps(crops)
    for one, other in zip((*before[0], *before[1]), (*after[0], *after[1]), strict=True):
        np.testing.assert_array_equal(one, other)
    convolution = next(part for part in scorer.detector.modules() if isinstance(part, nn.Conv2d))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)


class Odd(nn.Module):
    """A layer that one call does not show whole: it adds 1 to two images, and to any other number 2."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Any:
        return self.layer(images) + (1 if len(images) == 2 else 2)


def test_a_network_whose_program_differs_stays_with_torch() -> None:
    detector = trained("resnet18", 64)
    assert compiled(detector, facts(detector))
    detector.encoder.network.layer1 = Odd(detector.encoder.network.layer1)  # type: ignore[assignment]
    assert compiled(detector, facts(detector)) is None


def test_what_the_exporter_cannot_follow_stays_with_torch() -> None:
    detector = trained("resnet18", 64)

    def unknown(images: Tensor) -> Tensor:
        return torch.linalg.eigvals(images @ images.mT).real[..., None] + images

    detector.encoder.network.layer1.register_forward_hook(lambda _, __, output: unknown(output))
    assert compiled(detector, facts(detector)) is None


def test_networks_of_the_users_own_and_large_ones_stay_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = trained("resnet18", 64)
    own = trained("resnet18", 64)
    own.config = replace(own.config, encoder=EncoderClass("my_package.Encoder"))
    assert compiled(own, facts(own)) is None
    monkeypatch.setattr(module, "LARGEST", 11_000_000)
    assert compiled(detector, facts(detector)) is None
    monkeypatch.setattr(module, "LARGEST", 12_000_000)
    assert compiled(detector, facts(detector))


def test_large_logits_are_compared_by_their_size() -> None:
    """A rounding error of a logit of 1,000 is 1e-4."""
    detector = trained("resnet18", 64)
    for weight in detector.head.parameters():
        weight.data *= 10_000
    with torch.no_grad():
        assert detector(torch.rand(2, 3, 64, 64)).logit.abs().max() > 1_000
    assert compiled(detector, facts(detector))


def test_what_other_threads_print_meanwhile_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    detector = trained("resnet18", 64)
    detector.register_forward_hook(lambda *_: print("hello"))  # as another thread in the middle of it
    assert compiled(detector, facts(detector))
    said = capsys.readouterr()
    assert set(said.out.split()) == {"hello"}
    assert not said.err
