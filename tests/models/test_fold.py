"""Folding of batch norms: the same outputs with fewer layers."""

import pytest
import torch
from torch import Tensor, nn

from difffake.models.class_path import EncoderClass
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.fold import fold_batch_norms


def trained(encoder: str | EncoderClass) -> Detector:
    """A detector whose batch norms have statistics of their own, as after training."""
    torch.manual_seed(0)
    detector = build_detector(DetectorConfig(encoder, image_size=64), imports=["test_fold"])
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return detector.eval()


def norms(detector: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in detector.modules())


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "resnet10t", "mobilenetv3_small_050"])
def test_outputs_stay_and_norms_go(encoder: str) -> None:
    detector = trained(encoder)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    before = norms(detector)
    folded = fold_batch_norms(detector)
    assert (norms(folded), norms(detector)) == (0, before)
    with torch.no_grad():
        for new, old in zip(folded(images), detector(images), strict=True):
            torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4)


class Shared(nn.Module):
    """A convolution whose output goes to a norm and to the sum after it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, 8), nn.BatchNorm2d(8)

    def forward(self, images: Tensor) -> Tensor:
        features = self.conv(images)
        return features + self.norm(features)


class Named(Shared):
    """A norm that is called in another way than folding expects."""

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(input=self.conv(images))


@pytest.mark.parametrize("encoder", ["Shared", "Named"])
def test_a_detector_that_cannot_be_folded_is_kept(encoder: str) -> None:
    detector = trained(EncoderClass(f"test_fold.{encoder}"))
    assert fold_batch_norms(detector) is detector


def test_networks_without_batch_norms_are_left_as_they_are() -> None:
    detector = trained("convnext_atto")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(fold_batch_norms(detector)(image).logit, detector(image).logit)
