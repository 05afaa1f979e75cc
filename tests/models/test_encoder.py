"""Encoders of timm: the map that they give, how they normalize, and why one is refused."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from difffake.errors import UserError
from difffake.models.detector import DetectorConfig
from difffake.models.encoder import Encoder, channels
from difffake.models.lite import LITE0


@pytest.mark.parametrize(
    ("name", "size", "features", "dimension"),
    [
        ("tf_efficientnet_b4.ap_in1k", 224, (1792, 7, 7), 1792),  # the shapes that method and paper give
        ("resnet10t", 96, (512, 3, 3), 512),
        ("mobilenetv3_small_050", 64, (288, 2, 2), 1024),  # a layer between map and pooling
        ("vit_tiny_patch16_224", 96, (192, 6, 6), 192),
        ("deit_tiny_distilled_patch16_224", 64, (192, 4, 4), 192),  # two tokens before the patches
        ("swin_tiny_patch4_window7_224", 224, (768, 7, 7), 768),  # channels come last
    ],
)
def test_any_encoder_gives_a_spatial_map(name: str, size: int, features: tuple[int, ...], dimension: int) -> None:
    encoder = Encoder(name, image_size=size).eval()
    with torch.no_grad():
        found, embedding = encoder(torch.rand(2, 3, size, size))
    assert encoder.dimension == dimension
    assert found.shape == (2, *features)
    assert embedding.shape == (2, dimension)


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_map_and_embedding_are_those_of_timms_own_network(name: str) -> None:
    """Of `timm.create_model` with the same weights, on images that are normalized by hand."""
    encoder = Encoder(name, image_size=224, mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)).eval()
    own = timm.create_model(name, num_classes=0).eval()
    own.load_state_dict(encoder.network.state_dict())
    images = torch.rand(2, 3, 224, 224)
    normalized = torch.stack(
        [(images[:, 0] - 0.1) / 0.5, (images[:, 1] - 0.2) / 1.0, (images[:, 2] - 0.3) / 2.0], dim=1
    )
    with torch.no_grad():
        features, embedding = encoder(images)
        wanted = own.forward_features(normalized)
        torch.testing.assert_close(embedding, own(normalized))
    if wanted.ndim == 3:  # 196 patches after the class token, row by row
        wanted = wanted[:, 1:].reshape(2, 14, 14, -1).permute(0, 3, 1, 2)
    torch.testing.assert_close(features, wanted)


def test_the_map_of_a_transformer_keeps_places() -> None:
    """What changes in one corner of the image changes the map most in that corner."""
    encoder = Encoder("vit_tiny_patch16_224", image_size=96).eval()
    image = torch.full((1, 3, 96, 96), 0.5)
    changed = image.clone()
    changed[:, :, :16, 80:] = 1.0
    with torch.no_grad():
        change = (encoder(changed)[0] - encoder(image)[0]).norm(dim=1)[0]
    assert np.unravel_index(int(change.argmax()), (6, 6)) == (0, 5)


def test_normalization_comes_from_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """ImageNet's for Noisy Student, 0.5 for AdvProp and the package's Lite0, which Google trained with 127 and 128."""
    create = timm.create_model

    def offline(name: str, pretrained: bool, **settings: object) -> nn.Module:
        assert pretrained
        return create(name, pretrained=False, **settings)

    half, imagenet = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    lite = Encoder("tf_efficientnet_lite0", LITE0, image_size=64)
    assert (lite.channel_mean, lite.channel_std) == half
    assert lite.encoder == "tf_efficientnet_lite0"
    without = Encoder("resnet10t", image_size=64)
    assert (without.channel_mean, without.channel_std) == half
    assert (without.mean.flatten().tolist(), without.std.flatten().tolist()) == ([0.5] * 3, [0.5] * 3)
    monkeypatch.setattr(timm, "create_model", offline)
    for name, tag, wanted in (
        ("tf_efficientnet_b0", "tf_efficientnet_b0.ns_jft_in1k", imagenet),
        ("tf_efficientnet_b0.ap_in1k", "tf_efficientnet_b0.ap_in1k", half),
        ("tf_efficientnet_b0_ns", "tf_efficientnet_b0.ns_jft_in1k", imagenet),  # an old name of timm's
        ("resnet10t", "resnet10t.c3_in1k", imagenet),
    ):
        encoder = Encoder(name, "timm", image_size=64)
        assert encoder.encoder == encoder.name == tag
        assert (encoder.channel_mean, encoder.channel_std) == wanted
        assert tag in encoder.described
        assert f"mean {wanted[0][0]:g}" in encoder.described
    given = Encoder("resnet10t", "timm", image_size=64, mean=(0.5, 0.5, 0.5))
    assert (given.channel_mean, given.channel_std) == (half[0], imagenet[1])


def test_one_number_stands_for_all_channels() -> None:
    assert channels("--model.mean", None) is None
    assert channels("--model.mean", 0.5) == channels("--model.mean", [0.5]) == (0.5, 0.5, 0.5)
    assert channels("--model.mean", [0.1, 0.2, 0.3]) == (0.1, 0.2, 0.3)
    with pytest.raises(UserError, match=r"--model.std \[1, 2\] must be one number, or three"):
        channels("--model.std", [1, 2])


def test_stochastic_depth_and_momentum() -> None:
    """Depth drops blocks in training alone, with a rate that rises over them; momentum is that of every batch norm."""
    encoder = Encoder("tf_efficientnet_lite0", image_size=64, drop_path=0.2, bn_momentum=0.01)
    layers = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {layer.momentum for layer in layers} == {0.01}
    rates = [layer.drop_prob for layer in encoder.modules() if type(layer).__name__ == "DropPath"]
    assert rates == sorted(rates)
    assert 0.1 < rates[-1] < 0.2  # 15 / 16 of the rate, in the last block with a residual or before it
    images = torch.rand(4, 3, 64, 64)
    mean_before = layers[0].running_mean.clone()
    x = (images - 0.5) / 0.5
    stem = encoder.network.conv_stem(x)
    encoder.train()(images)
    torch.testing.assert_close(layers[0].running_mean, 0.99 * mean_before + 0.01 * stem.mean(dim=(0, 2, 3)))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("resnet9000", {}, "resnet9000 is not a timm network"),
        ("resnet10t.nope", {}, "timm has no weights of that tag, but resnet10t.c3_in1k"),
        ("crossvit_9_240", {}, "gives 2 sequences of tokens at several scales, not a feature map"),
        ("coat_tiny", {}, "gives 3 sequences of tokens at several scales"),
        ("volo_d1_224", {}, "gives 197 tokens, which do not form a square grid"),
        ("pit_ti_224", {}, "gives one token for the whole image"),
        ("maxvit_tiny_tf_224", {"image_size": 100}, "does not take images of 100 px .*: try --model.image_size 224"),
        ("vgg11", {"drop_path": 0.1}, "--model.drop_path: encoder vgg11 has no stochastic depth"),
        ("vit_tiny_patch16_224", {"bn_momentum": 0.1}, "--model.bn_momentum: .* has no batch norm"),
        ("resnet10t", {"weights": "imagenet"}, "write timm, and name them in --model.encoder, such as resnet10t.c3_in"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_explained(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Encoder(name, **settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "channels", "side"),
    [
        ("tf_efficientnet_lite0", 112, 4),
        ("resnet10t", 256, 4),
        ("convnext_atto", 160, 4),
        ("vit_tiny_patch16_224", 192, 4),
    ],
)
def test_a_finer_map_of_an_earlier_stage(name: str, channels: int, side: int) -> None:
    """A transformer whose map is as fine already keeps it. The embedding is the same."""
    torch.manual_seed(0)
    last = Encoder(name, image_size=64).eval()
    torch.manual_seed(0)
    finer = Encoder(name, image_size=64, feature_stride=16).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        (features, embedding), (_, wanted) = finer(images), last(images)
    assert features.shape == (1, channels, side, side)
    assert (finer.channels, finer.stride) == (channels, 16)
    assert torch.equal(embedding, wanted)


def test_a_stride_that_no_stage_has_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"feature_stride 12: .* of stride 32 and maps of stride 2, 4, 8, 16, 32: choose"
    ):
        Encoder("resnet10t", image_size=64, feature_stride=12)
    with pytest.raises(UserError, match=r"--model\.feature_stride 0 must be at least 1"):
        DetectorConfig("resnet10t", feature_stride=0)
