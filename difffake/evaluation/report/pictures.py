"""The pictures of a report inside its page; some are compressed or left out if the page would get too large."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from difffake.plots import DPI, read_caption

FAILURES = ("failure", "worst")
"""Words in the names of pictures that show failures."""
_WIDTHS = (1400, 1000, 700)  # pixels, tried in this order until all pictures fit
_QUALITY = 80
_AROUND = 3000
"""Bytes of a picture's caption and tags in the page, at most."""


@dataclass(frozen=True)
class Picture:
    """A picture in the page."""

    name: str
    caption: str
    data: str
    """Address of the data."""
    width: int
    height: int
    wide: bool
    """Whether it needs the whole width of the page; others stand side by side."""

    @property
    def failure(self) -> bool:
        """Whether it shows what the detector gets wrong."""
        return any(word in self.name for word in FAILURES)


def embedded(files: Sequence[Path], budget: int) -> tuple[dict[Path, Picture], str]:
    """Pictures as part of a page, and a remark about what was compressed or left out, if anything was.

    A picture is its SVG file where that is smaller, else its PNG file. If all together are too large for `budget`,
    they are compressed (WebP) at smaller and smaller widths. If that is not enough, the last ones are left out.

    Args:
        files: PNG files in the order of their importance; an SVG file of the same name beside each is used if smaller.
        budget: largest number of bytes of all pictures in the page.
    """
    budget -= _AROUND * len(files)
    broken = [path for path in files if not _whole(path)]
    found = {path: _smallest(path) for path in files if path not in broken}
    remark = "".join(f"{path.parent.name}/{path.name} is broken and left out. " for path in broken)
    smaller = ""
    for width in _WIDTHS:
        if sum(map(len, found.values())) <= budget:
            break
        found = {path: min(data, _compressed(path, width), key=len) for path, data in found.items()}
        smaller = (
            f"Pictures are compressed to at most {width} px, to keep the page small; the folders have the originals."
        )
    remark += smaller
    left, kept = budget, {}
    for path, data in found.items():
        if len(data) <= left:
            kept[path] = data
            left -= len(data)
    if dropped := [path for path in found if path not in kept]:
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in dropped[:5]) + (" ..." if dropped[5:] else "")
        remark += (
            f" {len(dropped)} of {len(found)} pictures are left out, because the page would be too large: {names}."
        )
    return {path: _picture(path, data) for path, data in kept.items()}, remark.strip()


def _picture(path: Path, data: str) -> Picture:
    with Image.open(path) as image:
        width, height = image.size
    # A picture without a caption of `save_figure` is shown with its name.
    caption = read_caption(path) or path.stem.replace("_", " ")
    return Picture(path.stem, caption, data, width, height, wide=width > 6 * DPI)


def _whole(path: Path) -> bool:
    """Whether a picture can be read to its end."""
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError):  # Pillow raises the second for broken parts of a PNG file
        return False
    return True


def _smallest(path: Path) -> str:
    png, vector = path.read_bytes(), path.with_suffix(".svg")
    if vector.is_file() and vector.stat().st_size < len(png):
        return _address("svg+xml", vector.read_bytes())
    return _address("png", png)


def _compressed(path: Path, width: int) -> str:
    with Image.open(path) as image:
        small = image.convert("RGB")
    if small.width > width:
        small = small.resize((width, round(small.height * width / small.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return _address("webp", buffer.getvalue())


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
