"""What a file in forge/methods/ says of its method."""

from collections.abc import Callable
from dataclasses import dataclass

from difffake.forge.tools.bottleneck import Bottleneck, Frame, Patches
from difffake.forge.tools.face import Forged


@dataclass(frozen=True)
class Network:
    """An autoencoder of aligned faces that is trained on the real faces of the training split before forging starts."""

    frame: Frame
    """The part of the face that it sees."""
    side: int
    """Height and width of its code: the fewer, the less the code says about where things are."""
    channels: int
    """Channels of its code."""
    for_pair: Callable[[Bottleneck, Patches, Patches, int], Bottleneck] | None = None
    """Makes a network for one pair of people from the trained one, the target's and the source's patches
    (N, 3, 64, 64) in [0, 1], and a seed. Without it all pairs share the trained one."""
    min_pictures: int = 0
    """Pairs are skipped if either person has fewer pictures."""


@dataclass(frozen=True)
class Method:
    """A way of forging faces: its function and what that needs.

    Its file is all that a method is: `METHOD = Method(function)` in a module of difffake/forge/methods is found by the
    command `forge`, whose name for it is the function's name.
    """

    forge: Callable[..., Forged]
    """A `difffake.forge.tools.face.Forgery`, with the keyword `network` or `diffusion` where it has one."""
    sourceless: bool = False
    """It takes nothing from the source face; the target is then recorded as its own source."""
    network: Network | None = None
    """The network that it is called with as `network`."""
    diffusion: bool = False
    """It is called with the frozen diffusion model of --diffusion as `diffusion`."""

    @property
    def name(self) -> str:
        """The name on the command line, in manifests and in paths."""
        return self.forge.__name__
