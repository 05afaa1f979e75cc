"""The description of a method, as a file in forge/methods/ gives it."""

from collections.abc import Callable
from dataclasses import dataclass

from difffake.forge.tools.bottleneck import Bottleneck, Frame, Patches
from difffake.forge.tools.face import Forged


@dataclass(frozen=True)
class Network:
    """An autoencoder of aligned faces that is trained on the real faces of the training split before forging starts."""

    frame: Frame
    """The part of the face that it processes."""
    side: int
    """Height and width of its code. A small code has little information about positions."""
    channels: int
    """Number of channels of its code."""
    for_pair: Callable[[Bottleneck, Patches, Patches, int], Bottleneck] | None = None
    """Function that makes a network for one pair of people from the trained network, the patches (N, 3, 64, 64) in
    [0, 1] of target and source, and a seed. Without it, all pairs share the trained network."""
    min_pictures: int = 0
    """Pairs are skipped if one of the two people has fewer pictures."""


@dataclass(frozen=True)
class Method:
    """A method of forging faces: its function, and what the function needs.

    A method is one file: `METHOD = Method(function)` in a module of difffake/forge/methods. The command `forge` finds
    it; its name there is the name of the function.
    """

    forge: Callable[..., Forged]
    """A `difffake.forge.tools.face.Forgery`, with the keyword `network` or `diffusion` if it needs one."""
    sourceless: bool = False
    """Whether it uses nothing of the source face; then the target is recorded as its own source."""
    network: Network | None = None
    """The network that is given to it as `network`."""
    diffusion: bool = False
    """Whether the frozen diffusion model of --diffusion is given to it as `diffusion`."""

    @property
    def name(self) -> str:
        """The name on the command line, in manifests and in paths."""
        return self.forge.__name__
