"""The frozen diffusion model of a run, which is loaded at its first use."""

from functools import cached_property

import torch

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion


class Teacher:
    """A frozen diffusion model that regularizers share. It is never saved, trained or synchronized.

    Args:
        config: name and precision of the model; by default the model in the package.
        seed: random seed of the weights of a model that is not pretrained.
    """

    def __init__(self, config: DiffusionConfig | None = None, seed: int = 0) -> None:
        self.config = config or DiffusionConfig()
        self.seed = seed

    @staticmethod
    def of(diffusion: LatentDiffusion) -> "Teacher":
        """A teacher with a model that is loaded already."""
        teacher = Teacher(DiffusionConfig(diffusion.name))
        teacher.__dict__["diffusion"] = diffusion
        return teacher

    def __deepcopy__(self, memo: dict[int, object]) -> "Teacher":
        # It never changes, so a copy of its owner, such as a moving average of a training module, shares it.
        return self

    @cached_property
    def diffusion(self) -> LatentDiffusion:
        """The model, loaded at the first use. Raises `UserError` as `load_diffusion` does."""
        return load_diffusion(self.config, self.seed)

    @property
    def loaded(self) -> bool:
        """Whether the model has been used, and so loaded."""
        return "diffusion" in self.__dict__

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the model's weights; takes seconds for Stable Diffusion."""
        return self.diffusion.fingerprint()

    def to(self, device: torch.device | str) -> None:
        """Move the model to a device, if it is loaded."""
        if self.loaded:
            self.diffusion.to(device)
