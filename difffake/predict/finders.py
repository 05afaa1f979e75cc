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
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def lent(self) -> Iterator[FaceFinder]:
        """A detector that nobody else uses within the block. Raises `UserError` after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free or len(self._all) < self._most)
            if self._closed:
                raise UserError(CLOSED)
            if not self._free:
                self._all.append(self._make())
                self._free.append(self._all[-1])
            finder = self._free.pop()
        try:
            yield finder
        finally:
            with self._changed:
                self._free.append(finder)
                self._changed.notify_all()

    def close(self) -> None:
        """Free MediaPipe's networks as soon as all detectors are back; none is lent from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._free) == len(self._all))
            for finder in self._all:
                if isinstance(finder, LandmarkDetector):
                    finder.close()
            self._all, self._free = [], []
