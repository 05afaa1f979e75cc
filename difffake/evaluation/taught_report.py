"""The command `figures`: what a frozen model taught a detector, as pictures and numbers."""

import json
from pathlib import Path
from typing import Any, Literal

from difffake.data.faces_to_draw import Drawing, limited, read_faces_to_draw
from difffake.data.manifest import manifest_file
from difffake.data.partners import PairOrder
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report import TESTBEDS
from difffake.files import refuse_existing, staged_folder
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.progress import console
from difffake.regularizers.saved import load_regularizers

FIGURES = "figures.json"


def figures(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    diffusion: str | None = None,
    imports: list[str] | None = None,
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

    Each regularizer of the checkpoint draws its own pictures. A guide: rebuilt sources and targets, weights, feature
    distances. Noise learning: noise, attention and saliency on faces, and how much of a face the detector looks at.

    Args:
        ckpt: checkpoint of a run of difffake fit with regularizers.
        manifest: manifests to draw from, such as the one that was trained on and others.
        out: folder to write: reconstructions.png, weights.png, distances.png of a guide; noise.png, coverage.png of
            noise learning; figures.json.
        diffusion: where the frozen model is now, if it has moved since training.
        imports: packages outside difffake that the checkpoint's regularizers may be imported from.
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
    regularizers, teacher = load_regularizers(ckpt, detector, diffusion, where, imports or ())
    found = read_faces_to_draw(manifest, info.training_keys, split, pair_order)
    rows = limited(found.manifest.table, found.measured, limit, seed)
    if len(rows) < len(found.measured):
        console.print(f"{len(rows)} of {len(found.measured)} faces are measured; --limit 0 takes all")
    drawing = Drawing(found, rows, faces, noises, steps, ckpt.parent, batch_size, workers, seed)
    with staged_folder(out, overwrite) as folder:
        content: dict[str, Any] = {}
        for name, part in regularizers.each():
            if not (drawn := part.draw(detector, teacher, drawing, folder)):
                console.print(f"the regularizer {name} has no pictures")
            content |= drawn
        files = [ckpt, *map(manifest_file, manifest)]
        testbed = any(name.startswith(TESTBEDS) for name in found.manifest.table["dataset"].iloc[rows].unique())
        content["provenance"] = provenance(files, seed, testbed=testbed) | {
            "split": split, "noises": noises, "steps": steps, "pair_order": pair_order, "training_seed": info.seed,
        }  # fmt: skip
        (folder / FIGURES).write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(f"{', '.join(sorted(path.name for path in out.glob('*.png')))} and {FIGURES} in {out}")
