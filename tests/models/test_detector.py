"""The detector's outputs and its config."""

import pytest
import torch

from difffake.errors import UserError
from difffake.models.detector import DetectorConfig, build_detector


def test_outputs_have_the_shapes_of_the_contract() -> None:
    detector = build_detector(DetectorConfig("resnet10t", image_size=64)).eval()
    output = detector(torch.rand(3, 3, 64, 64))
    assert output.logit.shape == (3,)
    assert output.embedding.shape == (3, 512)
    assert output.features.shape == (3, 512, 2, 2)
    # ResNet's embedding is the mean of its map, and the logit is linear in it.
    torch.testing.assert_close(output.embedding, output.features.mean(dim=(2, 3)))
    linear = detector.head[1]
    torch.testing.assert_close(output.logit, (output.embedding @ linear.weight.T + linear.bias).squeeze(1))


def test_normalization_belongs_to_the_encoder() -> None:
    """A raw timm network on images normalized by hand gives the same."""
    config = DetectorConfig("resnet10t", image_size=64, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    detector = build_detector(config).eval()
    images = torch.rand(2, 3, 64, 64)
    red, green, blue = images.unbind(1)
    by_hand = torch.stack([(red - 0.4) / 0.2, (green - 0.5) / 0.3, (blue - 0.6) / 0.4], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(detector(images).features, detector.encoder.network.forward_features(by_hand))
    assert not any("mean" in key.split(".")[-1] and "running" not in key for key in detector.state_dict())


def test_the_config_builds_the_same_detector_again() -> None:
    """What was left open is said, so that it does not depend on weights that are named nowhere."""
    first = build_detector(DetectorConfig("resnet10t", 64, dropout=0.4, drop_path=0.1, bn_momentum=0.01, head="cosine"))
    assert first.config.mean == first.config.std == (0.5, 0.5, 0.5)
    again = build_detector(first.config)
    again.load_state_dict(first.state_dict())
    assert again.config == first.config
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(first.eval()(images).logit, again.eval()(images).logit)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, "--model.dropout 1.0 must be at least 0 and less than 1"),
        ({"drop_path": -0.1}, "--model.drop_path -0.1 must be"),
        ({"std": (0.5, 0.0, 0.5)}, "--model.std must be above 0"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DetectorConfig("resnet10t", **settings)  # type: ignore[arg-type]


def test_images_of_whole_numbers_are_refused() -> None:
    detector = build_detector(DetectorConfig("mobilenetv3_small_050", 64))
    with pytest.raises(UserError, match=r"images have the type torch\.uint8: give floats in"):
        detector(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
