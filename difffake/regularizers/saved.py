"""How a checkpoint stores the regularizers of its run, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from difffake.diffusion.load import DiffusionConfig
from difffake.diffusion.teacher import Teacher
from difffake.errors import UserError
from difffake.models.checkpoint import KEY, read_checkpoint, weights_below
from difffake.models.class_path import module_class
from difffake.models.detector import Detector
from difffake.regularizers.base import Factory, Regularizer
from difffake.regularizers.run import Regularizers

REGULARIZERS = "regularizers"
"""Entry of a checkpoint for `Saved`, if the run had regularizers; also the prefix of their weights' names."""


@dataclass(frozen=True)
class Saved:
    """The regularizers of a run and their frozen model, as a checkpoint stores them."""

    parts: dict[str, dict[str, Any]]
    """By name: `class_path`, and the settings `init_args`."""
    diffusion: dict[str, Any] | None
    """Settings and `fingerprint` of the frozen model; None if no regularizer used it."""

    @staticmethod
    def of(regularizers: Regularizers, teacher: Teacher) -> "Saved":
        """The regularizers of a run and their frozen model."""
        diffusion = {**vars(teacher.config), "fingerprint": teacher.fingerprint} if teacher.loaded else None
        return Saved({name: _described(part) for name, part in regularizers.each()}, diffusion)

    @property
    def config(self) -> DiffusionConfig:
        """The settings of the frozen model."""
        return DiffusionConfig(**{k: v for k, v in (self.diffusion or {}).items() if k != "fingerprint"})


def _described(part: Regularizer) -> dict[str, Any]:
    kind = type(part)
    # The first two arguments, encoder and teacher, are not plain values and so not settings.
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": part.settings}


def refuse_changes(before: Saved, regularizers: Regularizers, teacher: Teacher) -> None:
    """Raise `UserError` if the run to resume (`before`) had other regularizers or another frozen model."""
    now = Saved.of(regularizers, teacher)
    for name in before.parts.keys() - now.parts.keys():
        raise UserError(f"the run to resume was trained with the regularizer {name}: give the same --config")
    for name, part in regularizers.each():
        option = f"--model.regularizers.{name}"
        if name not in before.parts:
            raise UserError(f"the run to resume was trained without the regularizer {name}: leave out {option}")
        old, new = before.parts[name], now.parts[name]
        if old["class_path"] != new["class_path"]:
            raise UserError(f"the run to resume had {option} {old['class_path']}, not {new['class_path']}")
        for setting, value in old["init_args"].items():
            if setting not in part.harmless and value != new["init_args"].get(setting):
                raise UserError(
                    f"the run to resume was trained with {option}.{setting} {value}, not "
                    f"{new['init_args'].get(setting)}: give the same value"
                )
    if before.diffusion and before.diffusion["fingerprint"] != teacher.fingerprint:
        raise UserError(
            f"the run to resume used another diffusion model ({before.diffusion['name']}) than {teacher.config.name}: "
            "give the same one, with the same precision, weights and seed"
        )


def load_regularizers(
    path: Path,
    detector: Detector,
    diffusion: str | None = None,
    device: torch.device | str = "cpu",
    imports: Sequence[str] = (),
) -> tuple[Regularizers, Teacher]:
    """Load the regularizers of a run, in eval mode, and their frozen model; a run may have none.

    Args:
        path: checkpoint of `difffake fit`.
        detector: detector of the same checkpoint.
        diffusion: where the frozen model is now, if it has moved; by default the name in the checkpoint.
        device: device of the regularizers and the frozen model.
        imports: packages outside difffake whose classes may be imported.

    Raises:
        UserError: `diffusion` is given for a run without regularizers, the frozen model is another one than in
            training, or a class is in a package that is not named in `imports`.
    """
    checkpoint = read_checkpoint(Path(path))
    if REGULARIZERS not in checkpoint and diffusion:
        raise UserError(f"{path} was trained without regularizers: leave out --diffusion")
    try:
        saved = Saved(**checkpoint.get(REGULARIZERS, {"parts": {}, "diffusion": None}))
        config = DiffusionConfig(**vars(saved.config) | ({"name": diffusion} if diffusion else {}))
        teacher = Teacher(config, checkpoint[KEY]["seed"])
        if saved.diffusion and teacher.fingerprint != saved.diffusion["fingerprint"]:
            raise UserError(f"{path} was trained with another diffusion model than {config.name}")
        factories = {name: _factory(part, imports) for name, part in saved.parts.items()}
        found = Regularizers(factories, detector.encoder, teacher).eval()
        found.load_state_dict(weights_below(checkpoint, f"{REGULARIZERS}."))
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a complete checkpoint of `difffake fit` ({type(error).__name__})") from error
    teacher.to(device)
    return found.to(device), teacher


def _factory(part: dict[str, Any], imports: Sequence[str]) -> Factory:
    kind = module_class(part["class_path"], "regularizer", imports)
    if not issubclass(kind, Regularizer):
        raise UserError(f"{part['class_path']} is not a regularizer: make it a subclass of difffake's Regularizer")
    return partial(kind, **part["init_args"])
