"""What a checkpoint says of the regularizers of its run, and reading them back."""

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
"""Entry of a checkpoint whose run had any: a `dict` for `Saved`; also the prefix of their weights."""


@dataclass(frozen=True)
class Saved:
    """The regularizers of a run and the frozen model behind them."""

    parts: dict[str, dict[str, Any]]
    """By name: `class_path`, and `init_args`, the settings."""
    diffusion: dict[str, Any] | None
    """The settings of the frozen model and its `fingerprint`; None if no regularizer asked for one."""

    @staticmethod
    def of(regularizers: Regularizers, teacher: Teacher) -> "Saved":
        """What is to be stored of the regularizers of a run."""
        diffusion = {**vars(teacher.config), "fingerprint": teacher.fingerprint} if teacher.loaded else None
        return Saved({name: _described(part) for name, part in regularizers.each()}, diffusion)

    @property
    def config(self) -> DiffusionConfig:
        """The settings of the frozen model."""
        return DiffusionConfig(**{k: v for k, v in (self.diffusion or {}).items() if k != "fingerprint"})


def _described(part: Regularizer) -> dict[str, Any]:
    kind = type(part)
    # The first two arguments, encoder and teacher, are no plain values and so are no settings.
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": part.settings}


def refuse_changes(before: Saved, regularizers: Regularizers, teacher: Teacher) -> None:
    """Raise `UserError` if a resumed run has other regularizers, or another frozen model, than it began with."""
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
                    f"{new['init_args'].get(setting)}: give the same"
                )
    if before.diffusion and before.diffusion["fingerprint"] != teacher.fingerprint:
        raise UserError(
            f"the run to resume was taught by another diffusion model ({before.diffusion['name']}) than "
            f"{teacher.config.name}: name the same one, with the same precision, weights and seed"
        )


def load_regularizers(
    path: Path,
    detector: Detector,
    diffusion: str | None = None,
    device: torch.device | str = "cpu",
    imports: Sequence[str] = (),
) -> tuple[Regularizers, Teacher]:
    """The regularizers of a run, in eval mode, and the frozen model that taught them.

    Args:
        path: checkpoint of `difffake fit`.
        detector: the same checkpoint's detector.
        diffusion: where the frozen model is now, if it has moved; by default the name in the checkpoint.
        device: where both are put.
        imports: packages outside difffake whose classes may be imported.

    Raises `UserError` for the checkpoint of a run without regularizers, another frozen model, or a class of a package
    that is not named in `imports`.
    """
    checkpoint = read_checkpoint(Path(path))
    if REGULARIZERS not in checkpoint:
        raise UserError(f"{path} was trained without regularizers: name a run with --model.regularizers")
    try:
        saved = Saved(**checkpoint[REGULARIZERS])
        config = DiffusionConfig(**vars(saved.config) | ({"name": diffusion} if diffusion else {}))
        teacher = Teacher(config, checkpoint[KEY]["seed"])
        if saved.diffusion and teacher.fingerprint != saved.diffusion["fingerprint"]:
            raise UserError(f"{path} was taught by another diffusion model than the one named {config.name} now is")
        factories = {name: _factory(part, imports) for name, part in saved.parts.items()}
        found = Regularizers(factories, detector.encoder, teacher).eval()
        found.load_state_dict(weights_below(checkpoint, f"{REGULARIZERS}."))
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a whole checkpoint of `difffake fit` ({type(error).__name__})") from error
    teacher.to(device)
    return found.to(device), teacher


def _factory(part: dict[str, Any], imports: Sequence[str]) -> Factory:
    kind = module_class(part["class_path"], "regularizer", imports)
    if not issubclass(kind, Regularizer):
        raise UserError(f"{part['class_path']} is no regularizer: it is not made from difffake's Regularizer")
    return partial(kind, **part["init_args"])
