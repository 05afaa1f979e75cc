"""Face detectors for several threads, which may not share one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from difffake.errors import UserError
from difffake.faces.detection import FaceFinder, LandmarkDetector

CLOSED = "this Predictor is closed: make another, or score inside its `with` block"


class Finders:
    """Lends each thread a face detector of its own. Another one is made only while all are lent.

    Args:
        make: makes a face detector. The first one is made at once, so that its errors are raised here.
        most: largest number of detectors. A thread that needs one while all are lent waits.
    """

    def __init__(self, make: Callable[[], FaceFinder], most: int = 1) -> None:
        self._make, self._most = make, most
        self._all = [make()]
        self._free = list(self._all)
        self._making = 0
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def lent(self) -> Iterator[FaceFinder]:
        """A detector that nobody else uses within the block. Raises `UserError` after `close`."""
        finder = None
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._free or self._room())
                if self._closed:
                    raise UserError(CLOSED)
                if self._free:
                    finder = self._free.pop()
                else:
                    self._making += 1
            if finder is None:
                finder = self._another()
            yield finder
        finally:
            if finder is not None:
                with self._changed:
                    self._free.append(finder)
                    self._changed.notify_all()

    def _room(self) -> bool:
        return len(self._all) + self._making < self._most

    def _another(self) -> FaceFinder:
        """A new detector, made while others can be given back."""
        made = None
        try:
            made = self._make()
        finally:
            with self._changed:
                self._making -= 1
                if made is not None:
                    self._all.append(made)
                self._changed.notify_all()
        return made

    def close(self) -> None:
        """Free MediaPipe's networks as soon as all detectors are back; none is lent from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._making and len(self._free) == len(self._all))
            for finder in self._all:
                if isinstance(finder, LandmarkDetector):
                    finder.close()
            self._all, self._free = [], []
