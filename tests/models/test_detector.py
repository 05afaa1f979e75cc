"""The detector's outputs."""

import torch

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


def test_normalisation_belongs_to_the_encoder() -> None:
    """A raw timm network on images normalised by hand gives the same."""
    detector = build_detector(DetectorConfig("resnet10t", image_size=64, mean=0.4, std=0.2)).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            detector(images).features, detector.encoder.network.forward_features((images - 0.4) / 0.2)
        )
    assert not any("mean" in key.split(".")[-1] and "running" not in key for key in detector.state_dict())
