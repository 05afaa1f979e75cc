"""A rectangle of an image. Most steps of a pseudo-deepfake are needed only around its mask."""

from typing import NamedTuple

import cv2
import numpy as np


class Window(NamedTuple):
    """Pixels `left <= x < right`, `top <= y < bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def bounding(cls, what: np.ndarray) -> "Window":
        """Smallest window around all points of (N, 2) float32, rounded down, or all pixels of (H, W) uint8 above 0."""
        x, y, width, height = cv2.boundingRect(what)
        return cls(x, y, x + width, y + height)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; one of them is 0 or less if the window is empty."""
        return self.right - self.left, self.bottom - self.top

    @property
    def cut(self) -> tuple[slice, slice]:
        """Index of the window's pixels in an array (H, W, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int, height: int, width: int) -> "Window":
        """The window and `by` pixels around it, clipped to an image of `height` x `width`."""
        return Window(
            max(self.left - by, 0), max(self.top - by, 0), min(self.right + by, width), min(self.bottom + by, height)
        )

    def moved(self, x: int, y: int) -> "Window":
        """The window `x` pixels further to the right and `y` further down."""
        return Window(self.left + x, self.top + y, self.right + x, self.bottom + y)
