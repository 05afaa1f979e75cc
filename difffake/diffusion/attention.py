"""Attention of diffusion models: the faster of diffusers' processors for each case."""

from typing import Any

import torch
from torch import Tensor

SHORT = 144
"""Largest number of positions at which plain attention was measured to be faster in bfloat16 on a CPU."""


class Attention:
    """Fused attention (SDPA), but plain matrix products for short sequences in half precision on a CPU.

    In that case, the backward pass of torch's fused kernel takes 2 to 9 times as long (16 to 144 positions, torch
    2.15). Small latents have only such short sequences. In all other cases, the fused kernel is faster or saves memory.
    Use it with `set_attn_processor`.
    """

    def __init__(self) -> None:
        from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

        self.fused, self.plain = AttnProcessor2_0(), AttnProcessor()

    def __call__(self, attn: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Output (B, L, C) for hidden states (B, L, C)."""
        half = hidden_states.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
        plain = half and hidden_states.device.type == "cpu" and hidden_states.shape[1] <= SHORT
        return (self.plain if plain else self.fused)(attn, hidden_states, *args, **kwargs)
