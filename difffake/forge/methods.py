"""The names of all methods."""

from difffake.forge.alpha_swap import alpha_swap
from difffake.forge.face import Forgery
from difffake.forge.faceswap import faceswap
from difffake.forge.reenact import reenact

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
