"""The command `figures`: what a frozen model taught a detector, as pictures and numbers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from difffake.data.faces_to_draw import FacesToDraw, Loading, limited, read_faces_to_draw
from difffake.data.manifest import manifest_file
from difffake.data.partners import PairOrder, Partners
from difffake.diffusion.load import DiffusionConfig
from difffake.errors import UserError
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report import TESTBEDS
from difffake.files import refuse_existing, staged_folder
from difffake.models.checkpoint import TAUGHT_KEY, TaughtInfo, load_detector, load_taught
from difffake.models.device import choose_device
from difffake.progress import console
from difffake.regularizers.guide.pictures import Sampling, draw_guide
from difffake.regularizers.guide.reconstructions import choose_rows
from difffake.regularizers.noise_learning.pictures import draw_coverage, draw_noise

FIGURES = "figures.json"


def figures(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    diffusion: str | None = None,
    faces: int = 4,
    noises: int = 3,
    steps: int = 30,
    split: Literal["test", "val", "train", "all"] = "test",
    limit: int = 500,
    pair_order: PairOrder = "target_source",
    batch_size: int = 32,
    workers: int = 2,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Draw what a frozen model taught a detector.

    Of a guide: rebuilt sources and targets, weights, feature distances. Of noise learning: noise, attention and
    saliency on faces, and how much of a face the detector looks at.

    Args:
        ckpt: checkpoint of difffake fit with --model.guide or --model.noise_learning.
        manifest: manifests to draw from, such as the one that was trained on and others.
        out: folder to write: reconstructions.png, weights.png, distances.png of a guide; noise.png, coverage.png of
            noise learning; figures.json.
        diffusion: where the frozen model is now, if it has moved since training.
        faces: fakes to draw of the training data, and as many unseen ones; a real face comes with each.
        noises: noises that source and target are rebuilt from.
        steps: of sampling.
        split: rows of the manifests that are measured.
        limit: faces of each data set and manipulation to measure, at most; 0 takes all.
        pair_order: as in training.
        batch_size: images a batch.
        workers: loader processes.
        device: auto, cpu, cuda or cuda:N.
        seed: of noises and of the choice of faces.
        overwrite: replace an existing output folder.
    """
    refuse_existing(out, overwrite, [ckpt, *manifest, *([diffusion] if diffusion else [])])
    where = choose_device(device)
    detector, info = load_detector(ckpt, where)
    taught = load_taught(ckpt, detector, _moved(ckpt, diffusion) if diffusion else None, where)
    found = read_faces_to_draw(manifest, info.training_keys, split, pair_order)
    rows = limited(found.manifest.table, found.measured, limit, seed)
    if len(rows) < len(found.measured):
        console.print(f"{len(rows)} of {len(found.measured)} faces are measured; --limit 0 takes all")
    loading = Loading(batch_size, workers)
    with staged_folder(out, overwrite) as folder:
        content: dict[str, Any] = {}
        if taught.guide:
            chosen = _chosen(found, found.partners, faces, seed)
            if not chosen:
                raise UserError(
                    f"no fake of {', '.join(map(str, manifest))} in the training data or in the split test has a "
                    "source and a target among the real faces, so there is nothing to rebuild: name the manifest that "
                    "was trained on"
                )
            sampling = Sampling(noises, steps, seed)
            content |= draw_guide(
                folder, detector, taught.guide, taught.diffusion, found, chosen, rows, sampling, loading
            )
        if taught.noise_learning:
            chosen = _chosen(found, None, faces, seed)
            content |= draw_noise(
                folder, detector, taught.noise_learning, taught.diffusion, found, chosen, rows, seed, loading
            )
            if draw_coverage(folder, ckpt.parent) is None:
                console.print(f"no metrics.csv with val/coverage beside {ckpt}, so its course is not drawn")
        files = [ckpt, *map(manifest_file, manifest)]
        testbed = any(name.startswith(TESTBEDS) for name in found.manifest.table["dataset"].iloc[rows].unique())
        content["provenance"] = provenance(files, seed, testbed=testbed) | {
            "split": split, "noises": noises, "steps": steps, "pair_order": pair_order, "training_seed": info.seed,
        }  # fmt: skip
        (folder / FIGURES).write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(f"{', '.join(sorted(path.name for path in out.glob('*.png')))} and {FIGURES} in {out}")


def _chosen(found: FacesToDraw, partners: Partners | None, faces: int, seed: int) -> dict[str, list[int]]:
    """Rows to draw of the training data and of unseen faces, where there are any."""
    groups = (("training", found.training), ("unseen", found.unseen))
    chosen = {name: choose_rows(found.manifest, partners, among, faces, seed) for name, among in groups}
    return {name: which for name, which in chosen.items() if which}


def _moved(ckpt: Path, name: str) -> DiffusionConfig | None:
    """The settings of the frozen model that a checkpoint was taught by, at another place; None without one."""
    settings = torch.load(ckpt, map_location="cpu", weights_only=True, mmap=True).get(TAUGHT_KEY)
    return replace(TaughtInfo.from_dict(settings).diffusion, name=name) if settings else None
