"""Deepfake detection that generalises to forgeries never seen in training."""

__version__ = "0.1.0"
