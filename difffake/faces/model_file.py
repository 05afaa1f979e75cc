"""Where the face landmark model is: an option, an environment variable, the cache, or a checked download."""

import os
import zipfile
from pathlib import Path

from difffake.errors import UserError
from difffake.files import absent, sha256, staged_file

VARIABLE = "DIFFFAKE_LANDMARKER"
URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"


def cache_folder() -> Path:
    """Folder for models: $DIFFFAKE_CACHE, or difffake in $XDG_CACHE_HOME, by default ~/.cache/difffake."""
    if own := os.environ.get("DIFFFAKE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "difffake"


def landmarker_model(given: Path | None = None) -> Path:
    """The model file: `given`, else $DIFFFAKE_LANDMARKER, else the cache, else a download with a checked SHA-256.

    Raises `UserError` if a given file is missing or not such a model, or if the download fails or has another SHA-256.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            origin = "--landmarker" if given else f"${VARIABLE}"
            raise UserError(f"{named} ({origin}) {absent(named)}: give the path of face_landmarker.task")
        if not zipfile.is_zipfile(named):  # a .task file is a zip of TensorFlow Lite models
            raise UserError(f"{named} is not MediaPipe's face landmark model: give the path of face_landmarker.task")
        return named
    cached = cache_folder() / "face_landmarker.task"
    if not (cached.is_file() and sha256(cached) == SHA256):
        _download(cached)
    return cached


def _download(path: Path) -> None:
    import urllib.error
    import urllib.request  # imported here, because most runs have the file already

    advice = f"get face_landmarker.task from {URL} and give its path as --landmarker or ${VARIABLE}"
    with staged_file(path) as partial:
        try:
            with urllib.request.urlopen(URL, timeout=30) as answer:
                partial.write_bytes(answer.read())
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise UserError(f"MediaPipe's face landmark model cannot be downloaded ({error}): {advice}") from error
        if sha256(partial) != SHA256:
            raise UserError(f"the downloaded face landmark model has an unexpected SHA-256: {advice}")
