"""Attention gives the same whichever way it is computed, and takes the way it should."""

import pytest
import torch
from diffusers.models.attention_processor import Attention as Layer
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.profiler import ProfilerActivity, profile

from difffake.diffusion.attention import SHORT, Attention


@pytest.fixture
def layer() -> Layer:
    torch.manual_seed(0)
    return Layer(query_dim=32, heads=4, dim_head=8)


def kernels(layer: Layer, states: torch.Tensor, precision: torch.dtype) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as found, torch.autocast("cpu", precision, precision.itemsize < 4):
        layer(states)
    return {event.key for event in found.key_averages()}


@pytest.mark.parametrize("length", [16, SHORT + 1])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_output_and_gradient_are_those_of_fused_attention(layer: Layer, length: int, precision: torch.dtype) -> None:
    found = []
    for processor in (Attention(), AttnProcessor2_0()):
        layer.set_processor(processor)
        torch.manual_seed(1)
        states = torch.randn(3, length, 32, requires_grad=True)
        with torch.autocast("cpu", precision, precision.itemsize < 4):
            output = layer(states).float()
        output.square().mean().backward()
        assert states.grad is not None
        found.append((output, states.grad))
    for ours, fused in zip(*found, strict=True):
        assert (ours - fused).norm() < (1e-5 if precision == torch.float32 else 2e-2) * fused.norm()


def test_only_short_sequences_in_bfloat16_leave_the_fused_kernel(layer: Layer) -> None:
    layer.set_processor(Attention())
    fused = "aten::scaled_dot_product_attention"
    assert fused not in kernels(layer, torch.randn(2, SHORT, 32), torch.bfloat16)
    assert fused in kernels(layer, torch.randn(2, SHORT + 1, 32), torch.bfloat16)
    assert fused in kernels(layer, torch.randn(2, SHORT, 32), torch.float32)
