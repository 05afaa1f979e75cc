"""The command `figures`: pictures of a detector and of its regularizers, with their numbers."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from difffake.commands.parse import AtLeast
from difffake.data.faces_to_draw import Drawing, limited, read_faces_to_draw
from difffake.data.manifest import manifest_file
from difffake.data.partners import PairOrder
from difffake.errors import UsageError, UserError
from difffake.evaluation.pictures.detector import draw_detector
from difffake.evaluation.provenance import provenance
from difffake.evaluation.testbed import TESTBEDS
from difffake.files import refuse_existing, staged_folder
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.model_config import checkpoint_file
from difffake.progress import console
from difffake.regularizers.saved import load_regularizers

EXAMPLES = (
    "difffake figures --ckpt runs/guided/best.ckpt --manifest data/forged-lfw --out figures",
    "difffake figures --ckpt best.ckpt --manifest data/forged-lfw data/ffpp --diffusion models/lfw-faces --faces 6 "
    "--limit 0 --out figures",
    "difffake figures --ckpt runs/guided --beside runs/plain --manifest data/celebdf data/dfdc --out figures",
)
FIGURES = "figures.json"


def figures(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    diffusion: str | None = None,
    imports: list[str] | None = None,
    beside: list[Path] = [],  # noqa: B006  # never changed
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
    """Draw what a detector has learned: embeddings, where it looks, its worst failures, and its regularizers.

    Each regularizer of the checkpoint draws its own pictures. A guide draws reconstructed sources and targets, weights
    and feature distances. Noise learning draws noise, attention and saliency on faces, and how much of a face the
    detector looks at.

    Args:
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        manifest: manifests to draw from, such as the training manifest and others.
        out: folder to write: figures.json, and each picture as PNG and SVG: embeddings, activation_maps, failures; for
            a guide, reconstructions, weights and distances; for noise learning, noise and coverage.
        diffusion: where the frozen model is now, if it has moved since training.
        imports: packages of your own whose code may run, if the encoder or a regularizer is in one of them.
        beside: other checkpoints, such as one without regularizers, whose class activation maps are drawn beside.
        faces: number of fakes to draw of the training data, and as many of other data; each with a real face.
        noises: number of noises from which source and target are reconstructed.
        steps: number of sampling steps; more steps take longer and change little.
        split: measure only the rows of this split; all measures every row.
        limit: measure at most this many faces of each data set and manipulation; 0 measures all.
        pair_order: which partner of a fake is its source; give the same value as in training.
        batch_size: images per batch; it changes only speed and memory.
        workers: number of processes that load images; 0 loads them in the main process.
        device: auto, cpu, cuda or cuda:N.
        seed: random seed of the noises and of the choice of faces.
        overwrite: replace an existing output folder.
    """
    ckpt = checkpoint_file(ckpt)
    others = [checkpoint_file(path) for path in beside]
    refuse_existing(out, overwrite, [ckpt, *others, *manifest, *([diffusion] if diffusion else [])])
    where = choose_device(device)
    detector, info = load_detector(ckpt, where, imports or ())
    names = _named([ckpt, *others])
    detectors = {names[0]: detector} | {
        name: load_detector(path, where, imports or ())[0] for name, path in zip(names[1:], others, strict=True)
    }
    regularizers, teacher = load_regularizers(ckpt, detector, diffusion, where, imports or ())
    found = read_faces_to_draw(manifest, info.training_keys, split, pair_order)
    rows = limited(found.manifest.table, found.measured, limit, seed)
    if len(rows) < len(found.measured):
        console.print(f"{len(rows)} of {len(found.measured)} faces are measured; --limit 0 measures all")
    drawing = Drawing(found, rows, faces, noises, steps, ckpt.parent, batch_size, workers, seed)
    with staged_folder(out, overwrite) as folder:
        content: dict[str, Any] = draw_detector(detectors, info.threshold, drawing, folder)
        for name, part in regularizers.each():
            try:
                drawn = part.draw(detector, teacher, drawing, folder)
            except UserError as error:  # such as data without known sources; the pictures of the detector are kept
                console.print(f"no pictures of the regularizer {name}: {error}")
                continue
            if not drawn:
                console.print(f"the regularizer {name} has no pictures")
            content |= drawn
        files = [ckpt, *others, *map(manifest_file, manifest)]
        testbed = any(name.startswith(TESTBEDS) for name in found.manifest.table["dataset"].iloc[rows].unique())
        content["provenance"] = provenance(files, seed, testbed=testbed) | {
            "split": split, "noises": noises, "steps": steps, "pair_order": pair_order, "training_seed": info.seed,
        }  # fmt: skip
        (folder / FIGURES).write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(f"{', '.join(sorted(path.name for path in out.glob('*.png')))} and {FIGURES} in {out}")


def _named(checkpoints: list[Path]) -> list[str]:
    """Names of checkpoints: those of their folders. Raises `UsageError` if two have the same."""
    names = [path.resolve().parent.name for path in checkpoints]
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise UsageError(f"--beside: two checkpoints are in folders of the name {twice[0]}: rename one of the folders")
    return names
