"""Checks an upload with the detector, one at a time, and words what goes wrong without naming paths."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from difffake.errors import UserError
from difffake.faces.decoding import read_index
from difffake.faces.listing import kind_of
from difffake.predict.prediction import Prediction
from difffake.predict.predictor import Predictor
from difffake.progress import console
from difffake.serve.answer import answer, refusal
from difffake.serve.uploads import Uploads

KINDS = "JPEG, PNG, WebP, TIFF, BMP, AVIF or GIF pictures, and MP4, MOV, MKV, WebM, AVI, MPEG, FLV or WMV clips"


class Check:
    """Scores uploads and gives the answer as HTML.

    Args:
        predictor: detector. It is used by one thread at a time, because MediaPipe's network and the
            detector's activation maps hold state.
        uploads: where the files lie.
    """

    def __init__(self, predictor: Predictor, uploads: Uploads) -> None:
        self.predictor = predictor
        self.uploads = uploads
        self._one = threading.Lock()

    def __call__(self, probe: str | None, references: Sequence[str] | None = None) -> str:
        """Check one file. Whatever fails is said in the answer: nothing is raised.

        Args:
            probe: token of the upload to check.
            references: tokens of real images of the person in it.
        """
        if not probe:
            return refusal("Drop a picture or a clip first.")
        names: dict[Path, str] = {}
        try:
            with ExitStack() as held:
                path = held.enter_context(self.uploads.held(probe))
                names[path] = "the file"
                known = [held.enter_context(self.uploads.held(token)) for token in references or ()]
                names |= {file: f"reference picture {number}" for number, file in enumerate(known, 1)}
                self._refuse(path, known, names)
                with self._one:
                    found = self._predict(path, known)
                    chance = partial(self.predictor.calibrated, found.kind)
                    return answer(path, found, len(known), self._maps, chance)
        except UserError as error:
            return refusal(_worded(str(error), names, self.uploads.folder))
        except Exception as error:  # any error of a library: others go on using the page
            console.print(f"failed: {type(error).__name__}: {' '.join(str(error).split())}")
            return refusal("This file could not be checked: it is damaged, or too large for this machine.")

    def _refuse(self, path: Path, references: Sequence[Path], names: dict[Path, str]) -> None:
        """Raise `UserError` for files that are not to be read: of another kind, or too long."""
        kind = kind_of(path)
        if kind is None:
            raise UserError(f"the file is no picture and no clip that is read here. These are: {KINDS}")
        if kind == "video":
            seconds, most = read_index(path).seconds, self.uploads.limits.seconds
            if seconds > most:
                raise UserError(f"the clip is {seconds:.0f} s long, and {most:g} s is the limit here: cut it")
        for file in references:
            if kind_of(file) != "image":
                raise UserError(f"{names[file]} is no picture: references are photographs of one person")

    def _predict(self, path: Path, references: Sequence[Path]) -> Prediction:
        known = self.predictor.references(references) if references else None
        return self.predictor.predict(path, known, "the file")  # of the same name each time, so of the same scores

    def _maps(self, faces: list[np.ndarray]) -> list[np.ndarray]:
        """Where each face raises its score; none if the detector cannot say it."""
        try:
            return self.predictor.scorer.activation_maps(faces) if faces else []
        except UserError:
            return []


def _worded(message: str, names: dict[Path, str], folder: Path) -> str:
    """An error message with the user's words for their files, as a sentence."""
    for path, name in names.items():
        message = message.replace(str(path), name)
    if str(folder) in message:
        return "This file could not be checked."
    return message[0].upper() + message[1:] + "."
