"""A small autoencoder of aligned faces, as in the original Deepfakes: a shared encoder, one decoder per person.

The method `autoencoder` trains two decoders; `mouth_texture` needs one, for the lower face.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from difffake.files import staged_file
from difffake.forge.tools.face import FaceImage, Points
from difffake.forge.tools.warp import similarity
from difffake.progress import track
from difffake.randomness import generator

PATCH = 64
"""Side of an aligned patch in pixels."""
_TEMPLATE = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]]) / 112
"""Eyes, tip of the nose, corners of the mouth in a picture of side 1: the alignment that face recognition uses."""

_NOISE = 0.5
"""Noise on a pair's codes while its decoders are trained, as a multiple of the codes' standard deviation."""

Patches = NDArray[np.float32]


class Frame:
    """A square of the aligned face that patches show: its `middle` (x, y) and `side`; the whole picture has side 1."""

    def __init__(self, middle: tuple[float, float], side: float) -> None:
        self.points = (_TEMPLATE - np.array(middle) + side / 2) * (PATCH / side)

    def matrix(self, landmarks: Points) -> NDArray[np.float64]:
        """Similarity (2, 3) from pixels of the image to pixels of the patch."""
        five = np.stack([
            landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0), landmarks[30], landmarks[48], landmarks[54],
        ])  # fmt: skip
        return similarity(five, self.points)

    def patch(self, face: FaceImage) -> Patches:
        """The patch (3, PATCH, PATCH) float32 in [0, 1]."""
        size = (PATCH, PATCH)
        matrix = self.matrix(face.landmarks)
        # Average over areas, because sampling points of a face much larger than the patch would give aliasing.
        shrink = 1 / max(float(np.hypot(*matrix[:, 0])), 1e-6)
        image = cv2.GaussianBlur(face.image, (0, 0), 0.4 * shrink) if shrink > 1.2 else face.image
        patch = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return patch.transpose(2, 0, 1).astype(np.float32) / 255


WHOLE_FACE = Frame((0.5, 0.62), 0.84)
LOWER_FACE = Frame((0.5, 0.82), 0.6)


class Bottleneck(nn.Module):
    """Encoder of patches (B, 3, 64, 64) to codes (B, channels, side, side), and `decoders` decoders back.

    Mean and contrast of the colors bypass the code, so the code describes only the appearance of the face.
    """

    def __init__(self, side: int, channels: int, decoders: int = 1) -> None:
        super().__init__()
        widths = [3, 32, 64, 128, 192][: PATCH.bit_length() - side.bit_length() + 1]
        self.side = side
        self.channels = channels
        down: list[nn.Module] = []
        for here, there in pairwise(widths):
            down += [nn.Conv2d(here, there, 4, 2, 1), nn.LeakyReLU(0.1)]
        self.encoder = nn.Sequential(*down, nn.Conv2d(widths[-1], channels, 1))
        self.decoders = nn.ModuleList(_decoder(channels, widths[::-1]) for _ in range(decoders))

    def forward(self, patches: Tensor, decoder: int = 0, noise: Tensor | None = None) -> Tensor:
        """Reconstruct patches (B, 3, 64, 64) in [0, 1] with one decoder; a few output values may be outside [0, 1].

        `noise` has the shape of the codes; it is multiplied by their standard deviation and added to them.
        """
        mean = patches.mean((2, 3), keepdim=True)
        contrast = (patches - mean).std((1, 2, 3), keepdim=True) + 0.02
        code = self.encoder((patches - mean) / contrast)
        if noise is not None:
            code = code + noise * code.detach().std()
        return mean + contrast * self.decoders[decoder](code)


def _decoder(channels: int, widths: Sequence[int]) -> nn.Sequential:
    up: list[nn.Module] = [nn.Conv2d(channels, widths[0], 1)]
    for here, there in pairwise(widths):
        # Sub-pixel convolution: four times the channels at the small size cost less than a convolution at the large.
        up += [nn.LeakyReLU(0.1), nn.Conv2d(here, 4 * there, 3, padding=1), nn.PixelShuffle(2)]
    return nn.Sequential(*up)


def train(network: Bottleneck, patches: Patches, steps: int, seed: int, description: str = "") -> Bottleneck:
    """Train a network with one decoder, in place, to reconstruct patches from distorted ones.

    Args:
        network: the network.
        patches: (N, 3, 64, 64) in [0, 1].
        steps: number of steps, each with 32 patches.
        seed: random seed of order and distortions.
        description: text of the progress bar.
    """

    def loss(step: int) -> Tensor:
        wanted, given = _batch(patches, 32, generator(seed, step, 0))
        return (network(given) - wanted).abs().mean()

    return _optimized(network, loss, steps, 2e-3, description)


def for_two(base: Bottleneck, target: Patches, source: Patches, steps: int, seed: int) -> Bottleneck:
    """Train two decoders with one encoder, for a target and a source; both start from the decoder of `base`.

    Because of noise on the codes, a decoder draws its own person for any code, also for the other person's. The corners
    of the patches, outside the face, do not count.
    """
    network = Bottleneck(base.side, base.channels, decoders=2)
    network.encoder.load_state_dict(base.encoder.state_dict())
    for decoder in network.decoders:
        decoder.load_state_dict(base.decoders[0].state_dict())
    line = torch.linspace(-1, 1, PATCH).square()
    oval = (1 - line[:, None] - line[None]).clamp(min=0)
    code = (16, base.channels, base.side, base.side)

    def loss(step: int) -> Tensor:
        losses = []
        for number, patches in enumerate((target, source)):
            rng = generator(seed, step, number)
            wanted, given = _batch(patches, 16, rng)
            noise = torch.from_numpy(rng.normal(0, _NOISE, code).astype(np.float32))
            losses.append((oval / oval.mean() * (network(given, number, noise) - wanted).abs()).mean())
        return torch.stack(losses).sum()

    return _optimized(network, loss, steps, 1e-3)


def _optimized(
    network: Bottleneck, loss: Callable[[int], Tensor], steps: int, rate: float, description: str = ""
) -> Bottleneck:
    """Train the network with Adam, at a rate that falls to 0 along half a cosine."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in track(range(steps), description) if description else range(steps):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _batch(patches: Patches, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random patches, and distorted copies of them."""
    wanted = torch.from_numpy(patches[rng.integers(len(patches), size=size)])
    return wanted, _distorted(wanted, rng)


def _distorted(patches: Tensor, rng: np.random.Generator) -> Tensor:
    """Move the pixels of patches by a smooth random field of a few pixels, as in the original Deepfakes.

    So the encoder learns the content of a face rather than the exact position of each pixel.
    """
    coarse = rng.normal(0, 0.04, (len(patches), 2, 5, 5)).astype(np.float32)
    field = nn.functional.interpolate(torch.from_numpy(coarse), size=(PATCH, PATCH), mode="bicubic", align_corners=True)
    line = torch.linspace(-1, 1, PATCH)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1) + field.permute(0, 2, 3, 1)
    return nn.functional.grid_sample(patches, grid, padding_mode="reflection", align_corners=True)


@torch.inference_mode()
def rebuilt(network: Bottleneck, face: FaceImage, frame: Frame, decoder: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruct the face's patch with the network and put it back onto the image.

    Returns the image (H, W, 3) float32 in [0, 255], and a mask (H, W) uint8 that is 255 where the patch covers the
    image, without the outermost pixels of the patch.
    """
    out = network(torch.from_numpy(frame.patch(face))[None], decoder)[0].numpy().transpose(1, 2, 0) * 255
    matrix = frame.matrix(face.landmarks)
    size = face.image.shape[1::-1]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(np.ascontiguousarray(out), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inner = np.zeros((PATCH, PATCH), np.uint8)
    inner[2:-2, 2:-2] = 255
    return np.clip(image, 0, 255), cv2.warpAffine(inner, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def save_network(path: Path, network: Bottleneck) -> None:
    """Write a network with one decoder; the file appears only when it is complete."""
    with staged_file(path) as partial:
        # A single entry, because safetensors writes several entries in random order.
        save_file(network.state_dict(), partial, {"code": f"{network.side} {network.channels}"})


def load_network(path: Path) -> Bottleneck:
    """Read a network that `save_network` wrote, in eval mode."""
    with safe_open(path, framework="pt") as file:
        network = Bottleneck(*map(int, file.metadata()["code"].split()))
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (not a dict)
    return network.eval()
