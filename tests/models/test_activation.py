"""Class activation maps, on networks where the right place is known, and against the library grad-cam."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.models.activation import activation_maps
from difffake.models.detector import Detector, DetectorConfig, build_detector


class Colors(nn.Module):
    """The map of 4 x 4 mean colors; the embedding is the mean of the map, or only of its upper left quarter."""

    def __init__(self, quarter: bool = False) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(16)
        self.quarter = quarter

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        found = self.pool(images)
        return (found, found[:, :, :2, :2].mean(dim=(2, 3))) if self.quarter else found


def colors(network: nn.Module, weight: tuple[float, float, float]) -> Detector:
    """A detector with `network` whose logit is a weighted sum of the mean colors."""
    detector = build_detector(DetectorConfig("resnet10t", 64, (0.0,) * 3, (1.0,) * 3))
    detector.encoder.network = network
    detector.encoder._timm = False
    detector.head = nn.Sequential(nn.Linear(3, 1))
    with torch.no_grad():
        detector.head[0].weight.copy_(torch.tensor([weight]))
    return detector.eval()


def red_and_blue() -> Tensor:
    """Red in the upper left quarter, blue in the lower right one, otherwise black."""
    image = torch.zeros(1, 3, 64, 64)
    image[:, 0, :32, :32] = 1
    image[:, 2, 32:, 32:] = 1
    return image


def test_the_map_is_where_the_color_is_that_speaks_for_a_fake() -> None:
    red, layer = activation_maps(colors(Colors(), (2.0, 0.0, -1.0)), red_and_blue())
    assert layer == "pool"
    assert red.shape == (1, 64, 64)
    assert red[0, 8:24, 8:24].min() == pytest.approx(1)
    assert red[0, 40:].max() == red[0, :, 40:].max() == 0
    blue, _ = activation_maps(colors(Colors(), (-2.0, 0.0, 1.0)), red_and_blue())
    torch.testing.assert_close(blue, red.flip(1, 2))
    neither, _ = activation_maps(colors(Colors(), (-1.0, 0.0, -1.0)), red_and_blue())
    assert neither.max() == 0


def test_an_encoder_that_returns_a_pair_has_a_map_too() -> None:
    found, _ = activation_maps(colors(Colors(quarter=True), (1.0, 0.0, 0.0)), red_and_blue())
    assert found[0, :24, :24].min() == pytest.approx(1)
    assert found[0, 40:].max() == 0


def test_an_encoder_without_a_layer_of_the_map_s_shape_is_named() -> None:
    class Alone(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images[:, :, ::16, ::16]

    with pytest.raises(UserError, match="resnet10t has no layer that gives a map of 3 x 4 x 4"):
        activation_maps(colors(Alone(), (1.0, 0.0, 0.0)), red_and_blue())


def vit_tokens(tokens: Tensor) -> Tensor:
    return tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 4))


@pytest.mark.parametrize(
    ("name", "layer", "place", "reshape"),
    [
        ("resnet10t", "layer4", lambda network: network.layer4, None),
        ("vit_tiny_patch16_224", "blocks.11.norm1", lambda network: network.blocks[-1].norm1, vit_tokens),
    ],
)
def test_maps_are_those_of_grad_cam(
    name: str, layer: str, place: Callable[[nn.Module], nn.Module], reshape: Callable[[Tensor], Tensor] | None
) -> None:
    library = pytest.importorskip("pytorch_grad_cam", reason="pip install --no-deps grad-cam ttach")
    torch.manual_seed(0)
    detector = build_detector(DetectorConfig(name, 64)).eval()
    for parameter in detector.encoder.parameters():
        parameter.requires_grad_(name != "resnet10t")  # also where the encoder is frozen
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        detector.head[1].weight *= detector(images).logit.mean().sign()  # so that something speaks for a fake
    found, at = activation_maps(detector, images)
    assert at == layer
    assert all(parameter.grad is None for parameter in detector.parameters())

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.detector = detector

        def forward(self, images: Tensor) -> Tensor:
            return self.detector(images).logit[:, None]

    layers = [place(detector.encoder.network)]
    with library.GradCAM(Logits(), layers, reshape) as cam:
        wanted = cam(images.clone().requires_grad_(), [lambda output: output[0]] * 2)
    assert found.amax(dim=(1, 2)).min() > 0  # otherwise nothing would be compared
    # The library also subtracts the smallest value of a map, which is 0 where any position is.
    low = found.amin(dim=(1, 2), keepdim=True)
    np.testing.assert_allclose((found - low) / (1 - low), wanted, atol=2e-3)
