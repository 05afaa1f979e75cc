"""What was asked and how, in sentences made from the configs and provenance of runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from difffake.data.trained_on import PSEUDO
from difffake.evaluation.published import benchmark
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.protocol import hashes
from difffake.evaluation.results import ALL
from difffake.readers.item import REAL

_WEIGHTS = {"none": "random weights", "timm": "the weights of its timm tag"}
_FAKES = {"pseudo": "pseudo-deepfakes", "manifest": "its own", "both": "its own and pseudo-deepfakes"}
_UNITS = {"target": "original", "path": "image"}
_TRAINABLE = {
    "all": "", "norm": ", of which only normalization layers and head were trained",
    "head": ", of which only the head was trained",
}  # fmt: skip


def about(run: Folder) -> list[tuple[str, str]]:
    """Sentences about a run, each with a heading: detector, training, test. What is not known is left out."""
    parts = {
        "Detector": _detector(run),
        "Training": _training(run),
        "Test": _test(run),
    }
    return [(heading, text) for heading, text in parts.items() if text]


def methods(runs: Sequence[Folder]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sentences about runs by name (`about`). What all have in common comes first, with an empty name."""
    found = [about(run) for run in runs]
    common = [part for part in found[0] if all(part in parts for parts in found)] if found else []
    own = [(run.name, [part for part in parts if part not in common]) for run, parts in zip(runs, found, strict=True)]
    return [(name, parts) for name, parts in [("", common), *own] if parts]


def question(runs: Sequence[Folder]) -> str:
    """What the runs ask: which data sets and manipulations are new to the detectors."""
    rows = [row for run in runs for row in run.rows]
    entries = [entry for run in runs for entry in run.trained_on]
    tested = list(dict.fromkeys(row["dataset"] for row in rows))
    if not tested:
        return ""
    count = _detectors(runs)
    who, do = (f"{count} detectors", "do") if count > 1 else ("a detector", "does")
    if not all(run.trained_on for run in runs if run.rows):
        return f"How well {do} {who} tell fakes from real faces on {_listed(tested)}?"
    seen = list(dict.fromkeys(str(entry["dataset"]) for entry in entries))
    known = {benchmark(name) for name in seen}
    that = "that were" if count > 1 else "that was"
    text = f"How well {do} {who} {that} trained on {_listed(seen)} tell fakes from real faces on {_listed(tested)}?"
    if new := [name for name in tested if benchmark(name) not in known]:
        text += f" Not a training set: {_listed(new)}."
    methods = {str(entry["method"]) for entry in entries}
    met = dict.fromkeys(row["method"] for row in rows if row["method"] not in (ALL, REAL, *methods))
    return text + (f" Manipulations that training did not have: {_listed(list(met))}." if met else "")


def _detectors(runs: Sequence[Folder]) -> int:
    """Number of detectors: several runs may evaluate the same checkpoint; others have scores of other detectors."""
    checkpoints: set[str] = set()
    others = 0
    for run in runs:
        own = {digest for name, digest in hashes(run) if name.endswith(".ckpt")}
        checkpoints |= own
        others += not own
    return len(checkpoints) + others


def _detector(run: Folder) -> str:
    model = run.settings.get("model") or {}
    encoder = model.get("encoder") or run.provenance.get("encoder")
    if not encoder:
        return ""
    size = f" on images of {model['image_size']} px" if model.get("image_size") else ""
    weights = str(model.get("weights", ""))
    start = f", from {_WEIGHTS.get(weights, weights)}" if weights else ""
    trained = str(model.get("trainable") or "all")
    part = _TRAINABLE.get(trained, f", of which only {trained} were trained")
    head = f"; {model['head']} head" if model.get("head") else ""
    return f"{encoder}{size}{start}{part}{head}."


def _training(run: Folder) -> str:
    settings = run.settings
    model, data, trainer = (settings.get(name) or {} for name in ("model", "data", "trainer"))
    sentences = []
    if run.trained_on:
        sentences.append(f"On {_counts(run.trained_on, 'train')}.")
    elif manifests := data.get("manifest"):
        names = [_short(str(path)) for path in ([manifests] if isinstance(manifests, str) else manifests)]
        sentences.append(f"On {_listed(names)}, fakes: {_FAKES.get(str(data.get('fakes')), 'unknown')}.")
    epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps") or -1
    length = f"{steps:,} steps" if steps > 0 else f"{epochs} epochs" if epochs else ""
    optimizer = model.get("optimizer") or {}
    how = [
        length,
        f"batches of {data['batch_size']}" if data.get("batch_size") else "",
        f"{optimizer['name']}, learning rate {optimizer.get('lr')}, schedule {optimizer.get('schedule')}"
        if optimizer.get("name")
        else "",
        f"precision {trainer['precision']}" if trainer.get("precision") else "",
    ]
    if any(how):
        sentences.append(f"{_capital(', '.join(filter(None, how)))}.")
    if settings:
        sentences.append(_regularizers(model))
    seed = run.provenance.get("training_seed", settings.get("seed_everything"))
    if seed is not None:
        sentences.append(f"Seed {seed}.")
    if settings:
        sentences.append("The checkpoint with the highest AUC on the validation split of the training data was taken.")
    return " ".join(sentences)


def _regularizers(model: Mapping[str, Any]) -> str:
    found = model.get("regularizers") or {}
    if not found:
        return "No regularizer beside the classification loss."
    described = []
    for name, part in found.items():
        settings = (part.get("init_args") or {}) if isinstance(part, dict) else {}
        weights = [f"{key} {value}" for key, value in settings.items() if key.startswith(("lambda", "weight"))]
        described.append(f"{name} ({', '.join(weights)})" if weights else str(name))
    teacher = (model.get("diffusion") or {}).get("name")
    return (
        f"Regularizers: {_listed(described)}{f', taught by the frozen diffusion model {teacher}' if teacher else ''}."
    )


def _test(run: Folder) -> str:
    facts = run.provenance
    if not run.rows:
        return ""
    split = facts.get("split")
    sentences = [f"Split {split}." if split not in (None, "all") else "All rows of the manifests." if split else ""]
    scores = list(dict.fromkeys(row["score"] for row in run.rows))
    levels = list(dict.fromkeys(row["level"] for row in run.rows))
    sentences.append(f"Scores: {_listed(scores)}, at {_listed(levels)} level.")
    if facts.get("pairs") and "anomaly" in scores:
        sentences.append(f"Pairs of the anomaly score: {facts['pairs']}.")
    kinds = {kind for row in run.rows for kind in str(row.get("resampled_by") or "").split(" + ") if kind}
    if units := sorted(_UNITS.get(kind, kind) for kind in kinds):
        sentences.append(f"Intervals: 95 % bootstrap, resampled by {_listed(units)}.")
    if any(row.get("threshold") is not None for row in run.rows):
        sentences.append("Thresholds are from validation data, never from test data.")
    return " ".join(filter(None, sentences))


def _counts(entries: Sequence[Mapping[str, Any]], split: str) -> str:
    """What is in a split of the training data: crops and videos per data set, real and of each manipulation."""
    places = dict.fromkeys((str(e["dataset"]), str(e["compression"])) for e in entries if e["split"] == split)
    found = []
    for dataset, compression in places:
        own = [e for e in entries if (e["split"], e["dataset"], e["compression"]) == (split, dataset, compression)]
        real = sum(int(e["crops"]) for e in own if e["method"] == REAL)
        videos = sum(int(e["videos"]) for e in own if e["method"] == REAL)
        fakes = [f"{int(e['crops']):,} of {e['method']}" for e in own if e["method"] not in (REAL, PSEUDO)]
        fakes += ["pseudo-deepfakes of the real ones"] if any(e["method"] == PSEUDO for e in own) else []
        of = f" from {videos:,} videos" if videos else ""
        text = f"{f'{dataset} {compression}'.strip()}: {real:,} real faces{of}"
        found.append(f"{text}, fakes: {_listed(fakes)}" if fakes else text)
    return "; ".join(found)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _short(manifest: str) -> str:
    """Name of a data set's folder from the path of its manifest."""
    path = Path(manifest)
    return path.parent.name if path.stem == "manifest" else path.name


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
