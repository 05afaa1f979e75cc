"""Pictures and numbers of noise learning: noise, attention and saliency on faces, and coverage."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional

from difffake.data.batches import to_tensors, to_unit
from difffake.data.credits import credit
from difffake.data.datasets import CropDataset
from difffake.data.faces_to_draw import SET, Drawing, ordered
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.faces.images import read_image
from difffake.models.detector import Detector
from difffake.models.saliency import coverage, log_saliency
from difffake.plots import COLORS, WIDTH, save_figure, tidy, wrapped
from difffake.progress import console, track
from difffake.randomness import generator
from difffake.readers.item import REAL
from difffake.regularizers.noise_learning.noise_learning import NoiseLearning, attention, standardized
from difffake.regularizers.noise_learning.teacher import injected, teacher_noise

MOST_SHARE = 4
"""Share of a position that is drawn brightest, in even shares (one divided by the number of positions)."""
COLUMNS = ("what the detector sees", "teacher's noise", "student's noise", "attention", "saliency")
NOISE = (
    "Noise: its strength at each position, bright where it is strong; student and teacher should agree. Attention: "
    "where the student predicts noise. Saliency: where the detector looks. These two are drawn over the face as "
    "shares of the whole: dark is none, yellow is four times an even share or more. Coverage is 1 if the detector "
    "looks everywhere alike."
)
COVERAGE = (
    "How evenly the detector looks at validation faces in the course of training: 1 is everywhere alike, 0 a single "
    "place."
)
_INJECTED = 3  # key of random numbers


class NoiseViews(NamedTuple):
    """Maps of noise learning for F faces of H x W pixels; all tensors are on the CPU."""

    names: list[str]
    """(F,), the manipulation; "real" for a real face."""
    image: Tensor
    """(F, 3, H, W) in [0, 1]; it includes the noise if noise is injected."""
    teacher: Tensor
    """(F, h, w), mean absolute value of the frozen model's standardized noise."""
    student: Tensor
    """(F, h, w), mean absolute value of the noise that the student predicts from the features."""
    attention: Tensor
    """(F, h, w), sums to 1 per face."""
    saliency: Tensor
    """(F, h', w'), sums to 1 per face."""
    coverage: list[float]
    """(F,), in [0, 1]: 1 if the saliency is even."""


def draw_noise(
    learning: NoiseLearning, detector: Detector, diffusion: LatentDiffusion, drawing: Drawing, folder: Path
) -> dict[str, Any]:
    """Write noise.png of the drawn faces and coverage.png of the run; return the coverage of the measured faces."""
    manifest = drawing.found.manifest
    views = {
        name: noise_views(detector, learning, diffusion, manifest, which, drawing.seed)
        for name, which in drawing.chosen().items()
    }
    if views:
        drawn = credit(manifest, [row for which in drawing.chosen().values() for row in which])
        save_figure(noise_figure(views), folder / "noise.png", NOISE, credit=drawn)
    if draw_coverage(folder, drawing.run) is None:
        console.print(f"{drawing.run} has no metrics.csv with val/coverage, so coverage.png is not drawn")
    return {"coverage": coverage_summary(detector, diffusion.device, drawing)}


@torch.inference_mode()
def noise_views(
    detector: Detector,
    learning: NoiseLearning,
    diffusion: LatentDiffusion,
    manifest: Manifest,
    rows: list[int],
    seed: int,
) -> NoiseViews:
    """Compute the maps of the faces in `rows` of the manifest; maps of several timesteps are averaged."""
    size, table = detector.encoder.image_size, manifest.table.iloc[rows]
    pixels = to_tensors([read_image(manifest.file(row)) for row in rows], size)
    images = to_unit(pixels.to(diffusion.device))
    latents = diffusion.encode(images)
    if learning.injected:
        drawn = generator(seed, _INJECTED).standard_normal(tuple(latents.shape), np.float32)
        added = torch.from_numpy(drawn).to(latents.device)
        images, noise = injected(diffusion, latents, added, learning.timesteps[0])
    else:
        noise = teacher_noise(diffusion, latents, learning.timesteps, learning.inversion_steps)
    features = detector(images).features
    predicted = learning.predict(features, (latents.shape[2], latents.shape[3]))
    return NoiseViews(
        [REAL if label == 0 else method for label, method in zip(table["label"], table["method"], strict=True)],
        images.cpu(),
        standardized(noise).abs().mean(dim=(1, 2)).cpu(),
        predicted.abs().mean(dim=(1, 2)).cpu(),
        attention(predicted, learning.temperature).cpu(),
        log_saliency(features).exp().cpu(),
        coverage(features).cpu().tolist(),
    )


def noise_figure(groups: dict[str, NoiseViews]) -> Figure:
    """Draw one row per face: image, noise of teacher and student, attention and saliency over the face, coverage.

    A picture of noise has its own scale, from dark (its smallest value) to bright (its largest value). The mean below
    it gives the strength of the noise (0.8 for white noise of variance 1). Attention and saliency have the same scale
    in all pictures, up to `MOST_SHARE`.
    """
    rows = sum(len(views.names) for views in groups.values())
    figure = Figure(figsize=(WIDTH, 1.5 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, len(COLUMNS), squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    for axes, title in zip(panels[0], COLUMNS, strict=True):
        axes.set_title(title, fontsize=8)
    faces = [(group, views, face) for group, views in groups.items() for face in range(len(views.names))]
    for line, (group, views, face) in zip(panels, faces, strict=True):
        image = views.image[face]
        line[0].imshow(image.permute(1, 2, 0).numpy())
        for axes, strength in ((line[1], views.teacher[face]), (line[2], views.student[face])):
            axes.imshow(strength.numpy(), cmap="gray")
            axes.set_xlabel(f"mean {float(strength.mean()):.2f}", fontsize=8)
        for axes, share in ((line[3], views.attention[face]), (line[4], views.saliency[face])):
            axes.imshow(image.mean(0).numpy(), cmap="gray", vmin=0, vmax=1)
            axes.imshow(
                _enlarged(share, image.shape[1]) * share.numel(), cmap="inferno", alpha=0.6, vmin=0, vmax=MOST_SHARE
            )
        line[0].set_ylabel(f"{group}\n{wrapped(views.names[face].replace('_', ' '), 16)}", fontsize=8)
        line[4].set_xlabel(f"coverage {views.coverage[face]:.3f}", fontsize=8)
    return figure


@torch.inference_mode()
def coverage_summary(detector: Detector, device: torch.device, drawing: Drawing) -> list[dict[str, Any]]:
    """Mean and standard deviation of the coverage per data set and manipulation, real faces first."""
    manifest, rows = drawing.found.manifest, drawing.rows
    faces = CropDataset(manifest, detector.encoder.image_size)
    batches = loader(faces, drawing.batch_size, drawing.workers, [(0, row) for row in rows.tolist()])
    found = [
        coverage(detector(to_unit(batch["image"].to(device))).features).cpu()
        for batch in track(batches, "coverage", total=len(batches))
    ]
    table = ordered(manifest.table.iloc[rows].assign(coverage=torch.cat(found).double().numpy()))
    summary = []
    for key, part in table.groupby([*SET, "method"], sort=False):
        row: dict[str, Any] = dict(zip([*SET, "method"], key, strict=True))
        values = part["coverage"]
        summary.append(row | {"faces": len(part), "mean": values.mean(), "std": values.std(ddof=0)})
    return summary


def draw_coverage(folder: Path, run: Path) -> Path | None:
    """Write coverage.png, val/coverage over the epochs of a run; return its path, or None if it was not logged."""
    path = run / "metrics.csv"
    if not path.is_file() or "val/coverage" not in (table := pd.read_csv(path)).columns:
        return None
    course = table.dropna(subset="val/coverage").groupby("epoch")["val/coverage"].last()
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(course.index + 1, course.to_numpy(), color=COLORS[0], marker="o", markersize=3, clip_on=False)
    axes.set(xlabel="epochs trained", ylabel="coverage of validation faces")
    axes.set_ylim(min(0.5, float(course.min()) - 0.05), 1.0)  # otherwise tiny changes would fill the picture
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="0.9")
    tidy(axes)
    save_figure(figure, folder / "coverage.png", COVERAGE)
    return folder / "coverage.png"


def _enlarged(share: Tensor, side: int) -> np.ndarray:
    return functional.interpolate(share[None, None], (side, side), mode="bilinear")[0, 0].numpy()
