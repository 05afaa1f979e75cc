"""The saliency of a detector, from the energy of its features."""

from math import log

import torch
from torch import Tensor


def log_saliency(features: Tensor) -> Tensor:
    """Logarithm (B, h', w') of the saliency: each position's share of the energy of features (B, C, h', w').

    The energy is the mean square over channels. Its share is the softmax of its logarithm, so the scale of the features
    does not matter. (A softmax of the energy itself depends on this scale. A softmax of the energy relative to its mean
    is nearly even for all features.)
    """
    energy = features.float().square().mean(dim=1)
    # The logarithm of 0 has no gradient.
    energy = energy + 1e-6 * energy.mean(dim=(1, 2), keepdim=True) + 1e-12
    return energy.log().flatten(1).log_softmax(dim=1).view_as(energy)


def coverage(features: Tensor) -> Tensor:
    """Coverage (B,) of images, from features (B, C, h', w'): how even the saliency is.

    It is the entropy of the saliency as a share of the largest possible entropy, log(h' w'): 0 if the saliency is at
    one position only, 1 if it is even.
    """
    found = log_saliency(features).flatten(1)
    if found.shape[1] == 1:
        return torch.ones(len(found), device=found.device)
    return -(found.exp() * found).sum(dim=1) / log(found.shape[1])
