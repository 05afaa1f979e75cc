"""The command `figures`: what regularizers taught a detector, as pictures and numbers."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from difffake.commands.parse import AtLeast
from difffake.data.faces_to_draw import Drawing, limited, read_faces_to_draw
from difffake.data.manifest import manifest_file
from difffake.data.partners import PairOrder
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report import TESTBEDS
from difffake.files import refuse_existing, staged_folder
from difffake.models.checkpoint import checkpoint_file, load_detector
from difffake.models.device import choose_device
from difffake.progress import console
from difffake.regularizers.saved import load_regularizers

EXAMPLES = (
    "difffake figures --ckpt runs/guided/best.ckpt --manifest data/forged-lfw --out figures",
    "difffake figures --ckpt best.ckpt --manifest data/forged-lfw data/ffpp --diffusion models/lfw-faces --faces 6 "
    "--limit 0 --out figures",
)
FIGURES = "figures.json"


def figures(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    diffusion: str | None = None,
    imports: list[str] | None = None,
    faces: Annotated[int, AtLeast(1)] = 4,
    noises: Annotated[int, AtLeast(1)] = 3,
    steps: Annotated[int, AtLeast(1)] = 30,
    split: Literal["test", "val", "train", "all"] = "test",
    limit: Annotated[int, AtLeast(0)] = 500,
    pair_order: PairOrder = "target_source",
    batch_size: Annotated[int, AtLeast(1)] = 32,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Draw what a frozen model taught a detector.

    Each regularizer of the checkpoint draws its own pictures. A guide: rebuilt sources and targets, weights, feature
    distances. Noise learning: noise, attention and saliency on faces, and how much of a face the detector looks at.

    Args:
        ckpt: checkpoint of a run of difffake fit with regularizers, or its run folder, of which best.ckpt is taken.
        manifest: manifests to draw from, such as the one that was trained on and others.
        out: folder to write: reconstructions.png, weights.png, distances.png of a guide; noise.png, coverage.png of
            noise learning; figures.json.
        diffusion: where the frozen model is now, if it has moved since training.
        imports: packages outside difffake whose code may run, for an encoder or a regularizer of your own.
        faces: how many fakes of the training data are drawn, and as many unseen ones; a real face comes with each.
        noises: how many noises source and target are rebuilt from.
        steps: steps of sampling; more take longer and change little.
        split: rows of the manifests that are measured.
        limit: at most so many faces of each data set and manipulation are measured; 0 takes all.
        pair_order: which partner of a fake is taken for its source; the same as in training.
        batch_size: images per batch.
        workers: loader processes.
        device: auto, cpu, cuda or cuda:N.
        seed: decides the noises and the choice of faces.
        overwrite: replace an existing output folder.
    """
    ckpt = checkpoint_file(ckpt)
    refuse_existing(out, overwrite, [ckpt, *manifest, *([diffusion] if diffusion else [])])
    where = choose_device(device)
    detector, info = load_detector(ckpt, where, imports or ())
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
