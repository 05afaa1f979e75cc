"""The command `figures`: what the guide of a trained run makes of faces, as pictures and numbers."""

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from difffake.data.manifest import Manifest, check_leaks, leak_keys
from difffake.data.partners import PairOrder, Partners, find_partners
from difffake.data.records import exact_partners
from difffake.errors import UserError
from difffake.evaluation.figures import save_figure
from difffake.evaluation.guide_figures import distance_figure, weights_figure
from difffake.evaluation.guide_measures import by_set, limited, measure, summary
from difffake.evaluation.provenance import provenance, shortened
from difffake.evaluation.report import TESTBEDS
from difffake.files import refuse_existing, staged_folder
from difffake.models.checkpoint import GUIDE_KEY, GuideInfo, load_detector, load_guide
from difffake.models.device import choose_device
from difffake.models.load_diffusion import DiffusionConfig
from difffake.progress import console, track
from difffake.training.reconstruction_figure import reconstruction_figure
from difffake.training.reconstructions import Reconstructions, choose_rows, read_faces, rebuild

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
    """Draw what the guide of a run makes of faces: rebuilt sources and targets, weights, feature distances.

    Args:
        ckpt: checkpoint of difffake fit with --model.guide.
        manifest: manifests to draw from, such as the one that was trained on and others.
        out: folder to write: reconstructions.png, weights.png, distances.png, figures.json.
        diffusion: where the frozen model is now, if it has moved since training.
        faces: fakes to rebuild of the training data, and as many unseen ones; a real face comes on top of each.
        noises: noises that source and target are rebuilt from.
        steps: of sampling.
        split: rows of the manifests whose weights and distances are drawn.
        limit: faces of each data set and manipulation to measure, at most; 0 takes all.
        pair_order: as in training.
        batch_size: images a batch.
        workers: loader processes.
        device: auto, cpu, cuda or cuda:N.
        seed: of noises and of the choice of faces.
        overwrite: replace an existing output folder.
    """
    refuse_existing(out, overwrite)
    where = choose_device(device)
    detector, info = load_detector(ckpt, where)
    guide, frozen = load_guide(ckpt, detector, _moved(ckpt, diffusion) if diffusion else None, where)
    found = read_faces_to_draw(manifest, info.training_keys, split, pair_order)
    rows = limited(found.manifest.table, found.measured, limit, seed)
    if len(rows) < len(found.measured):
        console.print(f"{len(rows)} of {len(found.measured)} faces are measured; --limit 0 takes all")
    chosen = {
        name: which
        for name, among in (("training", found.training), ("unseen", found.unseen))
        if (which := choose_rows(found.manifest, found.partners, among, faces, seed))
    }
    if not chosen:
        raise UserError(
            f"no fake of {', '.join(map(str, manifest))} in the training data or in the split test has a source and a "
            "target among the real faces, so there is nothing to rebuild: name the manifest that was trained on"
        )
    rebuilt: dict[str, Reconstructions] = {}
    for name, which in track(chosen.items(), "rebuilding", total=len(chosen)):
        images = read_faces(found.manifest, found.partners, which, info.config.image_size)
        rebuilt[name] = rebuild(
            detector, guide, frozen, images, noises=noises, steps=steps, seed=seed, batch_size=batch_size
        )
    table = measure(
        detector, guide, frozen, found.manifest, found.partners, rows, batch_size=batch_size, workers=workers
    )
    with staged_folder(out, overwrite) as folder:
        save_figure(reconstruction_figure(rebuilt), folder / "reconstructions.png")
        save_figure(weights_figure(by_set(table)), folder / "weights.png")
        save_figure(distance_figure(by_set(table)), folder / "distances.png")
        files = [ckpt, *(path / "manifest.parquet" if path.is_dir() else path for path in manifest)]
        testbed = any(name.startswith(TESTBEDS) for name in table["dataset"].unique())
        content = {
            "rows": summary(table),
            "reconstructions": [
                {"group": name, "path": found.paths[row]} | numbers
                for name, which in chosen.items()
                for row, numbers in zip(which, _numbers(rebuilt[name]), strict=True)
            ],
            "provenance": provenance(files, seed, testbed=testbed)
            | {"split": split, "noises": noises, "steps": steps, "pair_order": pair_order, "training_seed": info.seed},
        }
        (folder / FIGURES).write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(f"reconstructions.png, weights.png, distances.png and {FIGURES} in {out}")


@dataclass(frozen=True)
class FacesToDraw:
    """All rows of all manifests, and which of them are drawn and measured."""

    manifest: Manifest
    partners: Partners
    paths: list[str]
    """Of each row, as in its own manifest, but for absolute ones, which would name hosts and users."""
    training: np.ndarray
    """Rows of the split train of what the detector was trained on."""
    unseen: np.ndarray
    """Rows of the split test."""
    measured: np.ndarray
    """Rows of the split that was asked for."""


def read_faces_to_draw(
    paths: Sequence[Path], training_keys: Set[str], split: str, pair_order: PairOrder
) -> FacesToDraw:
    """Read manifests. Raises `UserError` if one lacks the split, or its split test is not unseen."""
    manifests = [Manifest.read(path) for path in paths]
    if len(manifests) > 1:
        manifests = [Manifest(m.table, m.root.resolve()) for m in manifests]  # as their union has it
    trained_on = []
    for path, whole in zip(paths, manifests, strict=True):
        if not len(whole.select(split=split)):
            raise UserError(f"{path} has no rows in the split {split}: use --split all or another manifest")
        train, test = (leak_keys(whole.select(split=name).table, whole.table) for name in ("train", "test"))
        check_leaks(set(training_keys), test, f"{path}, split test,")
        # A manifest has a split train too where another one was trained on.
        trained_on += [bool(train & training_keys)] * len(whole)
    union = Manifest.concat(manifests)
    splits = union.table["split"].to_numpy()
    return FacesToDraw(
        union,
        find_partners(union, pair_order, exact_partners(manifests)),
        [shortened(str(path)) for whole in manifests for path in whole.table["path"]],
        np.flatnonzero((splits == "train") & trained_on),
        np.flatnonzero(splits == "test"),
        np.flatnonzero(splits == split) if split != "all" else np.arange(len(union)),
    )


def _moved(ckpt: Path, name: str) -> DiffusionConfig | None:
    """The settings of the frozen model that a checkpoint was taught by, at another place; None without a guide."""
    settings = torch.load(ckpt, map_location="cpu", weights_only=True, mmap=True).get(GUIDE_KEY)
    return replace(GuideInfo.from_dict(settings).diffusion, name=name) if settings else None


def _numbers(rebuilt: Reconstructions) -> list[dict[str, Any]]:
    columns = (rebuilt.faces.names, rebuilt.distance, rebuilt.source_weight, rebuilt.target_weight)
    names = ("method", "distance", "source_weight", "target_weight")
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
