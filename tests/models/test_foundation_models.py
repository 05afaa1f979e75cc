"""Parameters that are trained of large transformers, counted without their weights, against the docs and the paper."""

from pathlib import Path

import pytest
import timm
import torch

from difffake.models.detector import DetectorConfig, build_detector

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "foundation.md"


@pytest.mark.parametrize(
    ("name", "blocks", "others"),
    [
        ("vit_pe_core_large_patch14_336", 24, 3),  # before and after the blocks, and in the attention pool
        ("vit_large_patch14_clip_224", 24, 2),
        ("vit_large_patch16_dinov3", 24, 1),
    ],
)
def test_norms_and_head_are_trained(name: str, blocks: int, others: int) -> None:
    with torch.device("meta"):
        detector = build_detector(DetectorConfig(name, 224, trainable="norm", head="cosine"))
    trained = {key: value.numel() for key, value in detector.named_parameters() if value.requires_grad}
    norms = sum(size for key, size in trained.items() if "norm" in key)
    head = sum(size for key, size in trained.items() if key.startswith("head."))
    assert norms == (2 * blocks + others) * 2 * 1024  # scale and shift of each channel
    assert head == 1024 + 2  # weights, bias and scale
    assert sum(trained.values()) == norms + head
    assert f"| `{name}` | {norms:,} | {head:,} | {norms + head:,} |" in PAGE.read_text()


def test_the_published_number_is_that_of_a_head_with_two_outputs() -> None:
    """BlenD: 106 thousand parameters of PE-Core-L."""
    assert round((104_448 + 2 * 1024 + 2) / 1000) == 106


@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("vit_pe_core_large_patch14_336.fb", True),
        ("vit_large_patch14_clip_224.openai", False),
        ("vit_large_patch16_dinov3.lvd1689m", False),
    ],
)
def test_the_weights_that_the_config_names_exist(name: str, half: bool) -> None:
    """With a normalization of their own, which is not always 0.5."""
    cfg = timm.get_pretrained_cfg(name)
    assert cfg is not None
    assert (cfg.mean == (0.5, 0.5, 0.5)) == half
