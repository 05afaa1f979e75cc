"""Writing a model folder from a checkpoint: weights, anomaly model, calibration and model card, all or nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import difffake
from difffake.anomaly.file import FILE as ANOMALY
from difffake.anomaly.storage import rebind_anomaly
from difffake.errors import UserError
from difffake.evaluation.calibration import FILE as CALIBRATION
from difffake.evaluation.calibration import Calibration, calibration_file, read_calibration
from difffake.files import refuse_existing, sha256, staged_folder
from difffake.models.checkpoint import load_detector
from difffake.models.model_config import CONFIG, checkpoint_file, read_config
from difffake.models.model_folder import Dtype, write_model
from difffake.predict.card import TEST, Card, measured_line, results_facts, training_facts
from difffake.predict.people import anomaly_file

README = "README.md"


def publish(
    ckpt: Path,
    folder: Path,
    results: Sequence[Path] = (),
    name: str = "",
    license: str = "",
    data_licenses: Sequence[str] = (),
    dtype: Dtype | None = None,
    anomaly: str | Path = "auto",
    calibration: str | Path = "auto",
    imports: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a model folder: config.json, model.safetensors, README.md, and the anomaly model and calibration if any.

    Args:
        ckpt: checkpoint of `difffake fit`, or the run folder; or a model folder, of whose card everything is kept that
            is not given here.
        folder: folder to write.
        results: folders of `difffake evaluate` with this detector, for the model card.
        name: name of the detector; by default that of the folder.
        license: license of the weights as the Hub writes it, such as cc-by-4.0.
        data_licenses: lines for the model card about the licenses of the training data.
        dtype: type of the weights on disk, float32 or float16; by default as they are.
        anomaly: file of `difffake fit-anomaly`, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists.
        calibration: file of `difffake calibrate`, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        overwrite: replace a folder that difffake wrote.

    Returns:
        The folder.

    Raises:
        UserError: something cannot be read, belongs to another checkpoint, or must not be replaced.
    """
    ckpt = checkpoint_file(Path(ckpt))
    refuse_existing(folder, overwrite, [ckpt, *results])
    detector, info = load_detector(ckpt, imports=imports)
    before: dict[str, Any] = read_config(ckpt) if ckpt.name == CONFIG else {}
    old: Dtype = before["weights"]["dtype"] if before else "float32"
    dtype = dtype or old
    made_of = before.get("made_of", {}) | {sha256(ckpt): old}
    card = _card(ckpt, before, Card(name, license, tuple(data_licenses)), info)
    if results:
        tests, measured = results_facts(results, made_of, dtype)
        own = tuple(part for part in card.about if not part[0].startswith(TEST))
        card = replace(card, about=(*own, *tests), **measured)
    elif card.rows and (old, dtype) == ("float32", "float16"):
        card = replace(card, rounded=True)
    card = card if card.name else replace(card, name=folder.resolve().name)
    config = {
        "library_name": "difffake",
        "difffake_version": difffake.__version__,
        "detector": info.to_dict(),
        "card": card.to_dict(),
        "made_of": made_of,
    }
    with staged_folder(folder, overwrite) as partial:
        new = sha256(write_model(partial, detector.state_dict(), config, dtype))
        model = anomaly_file(anomaly, ckpt)
        if model:
            rebind_anomaly(model, sha256(ckpt), partial / ANOMALY, new)
        found = _calibration(calibration_file(calibration, ckpt), ckpt, model)
        if found:
            found = replace(found, checkpoint=new, anomaly=sha256(partial / ANOMALY) if model else None)
            found.write(partial / CALIBRATION)
        from difffake.predict.card_text import card_text  # imports what tables need

        text = card_text(card, info, measured_line(config), dtype, found)
        (partial / README).write_text(text, encoding="utf-8")
    return folder


def _card(ckpt: Path, before: dict[str, Any], given: Card, info: Any) -> Card:
    """The card without results of its own: what is given, the rest as in the folder before or from the run."""
    if before:
        try:
            known = Card.from_dict(before["card"])
        except (LookupError, TypeError) as error:
            raise UserError(f"{ckpt} has no complete card ({type(error).__name__}): publish it from its run") from error
        return replace(
            known,
            name=given.name or known.name,
            license=given.license or known.license,
            data_licenses=given.data_licenses or known.data_licenses,
        )
    about, settings = training_facts(ckpt, info)
    return replace(given, about=tuple(about), settings=settings)


def _calibration(path: Path | None, ckpt: Path, anomaly: Path | None) -> Calibration | None:
    if not path:
        return None
    found = read_calibration(path, ckpt, anomaly)
    if found.anomaly and not anomaly:
        raise UserError(f"{path} also calibrates an anomaly model: name it, or publish with --calibration none")
    return found
