"""Pseudo-deepfakes: fakes made from one real face, as in DiffFake (arXiv 2502.16247), after Self-Blended Images."""

from difffake.data.pseudo.blend import PseudoDeepfake, pseudo_deepfake
from difffake.data.pseudo.config import PseudoConfig
from difffake.data.pseudo.families import Twins, pseudo_of_family

__all__ = ["PseudoConfig", "PseudoDeepfake", "Twins", "pseudo_deepfake", "pseudo_of_family"]
