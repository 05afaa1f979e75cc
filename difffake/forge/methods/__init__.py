"""The names of all methods."""

from difffake.forge.methods.alpha_swap import alpha_swap
from difffake.forge.methods.faceswap import faceswap
from difffake.forge.methods.reenact import reenact
from difffake.forge.tools.face import Forgery

PLAIN: dict[str, Forgery] = {"faceswap": faceswap, "alpha_swap": alpha_swap, "reenact": reenact}
"""Methods that need nothing but two faces."""
MOUTH_TEXTURE, AUTOENCODER = "mouth_texture", "autoencoder"
"""Methods that train a network first."""
DIFFUSION_SWAP, SYNTHESIS = "diffusion_swap", "synthesis"
DIFFUSION = (DIFFUSION_SWAP, SYNTHESIS)
"""Methods that draw with a frozen diffusion model."""
METHODS = (*PLAIN, MOUTH_TEXTURE, AUTOENCODER, *DIFFUSION)
SOURCELESS = frozenset({MOUTH_TEXTURE, SYNTHESIS})
"""Methods that take nothing from the source: their source is the target itself."""
