"""Class activation maps: where a face raises a detector's logit (Grad-CAM; Selvaraju et al., ICCV 2017)."""

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from difffake.errors import UserError
from difffake.models.detector import Detector


def activation_maps(detector: Detector, images: Tensor) -> tuple[Tensor, str]:
    """Grad-CAM of the logit: what in an image speaks for a fake.

    A map is the sum of a layer's channels, each weighted by its mean gradient of the logit, without negative values.
    The layer is the last one whose output has the shape of the encoder's map and reaches the logit from several
    positions. In a convolutional network, this is its last layer. In a transformer that reads only the class token at
    its end, it is the first normalization of the last block, as in the library grad-cam.

    Args:
        detector: the detector, in eval mode.
        images: (B, 3, H, W) in [0, 1].

    Returns:
        Maps (B, H, W) on the CPU, each scaled so that its largest value is 1 (all 0 if nothing speaks for a fake), and
        the name of the layer.

    Raises:
        UserError: the encoder has no such layer, as one that makes its map from several layers.
    """
    with torch.no_grad():
        shape = tuple(detector(images[:1]).features.shape[1:])
    outputs: list[tuple[str, Tensor]] = []

    def note(name: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.requires_grad and _as_map(output, shape) is not None:
                outputs.append((name, output))

        return keep

    network = detector.encoder.network
    handles = [layer.register_forward_hook(note(name)) for name, layer in network.named_modules() if name]
    try:
        with torch.enable_grad():
            logit = detector(images.detach().clone().requires_grad_()).logit
    finally:
        for handle in handles:
            handle.remove()
    found = torch.autograd.grad(logit.sum(), [output for _, output in outputs], allow_unused=True) if outputs else ()
    for (name, output), gradient in reversed(list(zip(outputs, found, strict=True))):
        if gradient is None:
            continue
        activation, slope = _as_map(output.detach(), shape), _as_map(gradient, shape)
        assert activation is not None
        assert slope is not None
        if (slope.abs().sum(dim=(0, 1)) > 0).sum() > 1:
            maps = (slope.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1).clamp(min=0).float().cpu()
            maps = functional.interpolate(maps[:, None], images.shape[2:], mode="bilinear")[:, 0]
            return maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12), name
    raise UserError(
        f"encoder {detector.encoder.name} has no layer that gives a map of {' x '.join(map(str, shape))} to the logit, "
        "so it has no class activation map"
    )


def over_face(face: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Draw a map (H, W) in [0, 1], from dark to yellow, over the face (H, W, 3) in gray; both colors are in [0, 1]."""
    gray = face.mean(axis=2, keepdims=True)
    heat = cv2.applyColorMap(np.round(255 * own).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1] / 255
    return np.asarray(0.45 * gray + 0.55 * heat)


def _as_map(output: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """The output of a layer as a map (B, C, h, w), from a map, a map with channels last, or tokens; else None."""
    channels, height, width = shape
    if output.ndim == 4 and tuple(output.shape[1:]) == shape:
        return output
    if output.ndim == 4 and tuple(output.shape[1:]) == (height, width, channels):
        return output.permute(0, 3, 1, 2)
    if output.ndim == 3 and output.shape[2] == channels and output.shape[1] >= height * width:
        tokens = output[:, output.shape[1] - height * width :]  # class and register tokens come first
        return tokens.transpose(1, 2).unflatten(2, (height, width))
    return None
