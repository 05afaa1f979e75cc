"""The smallest face found in frames of several sizes, and what it costs, against MediaPipe's landmarker alone.

    python benchmarks/faces.py --photographs ../shared/data/london ../shared/data/lfw

Photographs of faces are pasted at random places into textured frames, scaled so that the face (MediaPipe's mesh, the
longer side of its box) has a given size. A face counts as found if a box shares more than half of the smaller box with
it. `alone` is the landmarker on the whole frame, `search` our call on a single frame, `follow` our call on the next
frame of a clip, in which the face has moved by a quarter of its size. The smallest face found is the size from which
on at least 95 % are. The last line is a JSON object; its ratio is that of the faces found, over all frame sizes and
the sizes of `SMALL` pixels and more.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from difffake.errors import UserError
from difffake.faces.detection import SMALL, Face, LandmarkDetector
from difffake.faces.images import read_image
from difffake.faces.listing import list_media
from difffake.faces.model_file import landmarker_model
from difffake.faces.squares import same_face
from difffake.randomness import generator

FRAMES = {"360p": (640, 360), "480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
SIZES = (24, 32, 40, 48, 56, 64, 80, 100, 130, 160, 220)
ENOUGH = 0.95
"""Share of faces of a size that counts as all."""


class Portrait(NamedTuple):
    """A photograph (H, W, 3) uint8 RGB, and the box (4,) of the only face in it."""

    image: np.ndarray
    box: np.ndarray


class Answers:
    """How many faces of one kind of call were found, in how many milliseconds of CPU time."""

    def __init__(self) -> None:
        self.found: list[bool] = []
        self.ms: list[float] = []
        self.extra = 0

    def add(self, call: Callable[[], list[Face]], box: np.ndarray) -> list[Face]:
        """Call, and note whether the face in `box` (4,) is among what it gives, and what else is."""
        start = time.process_time()
        faces = call()
        self.ms.append(1000 * (time.process_time() - start))
        hits = [bool(same_face(box, face.box[None])[0]) for face in faces]
        self.found.append(any(hits))
        self.extra += hits.count(False)
        return faces

    @property
    def recall(self) -> float:
        """Share of the faces that were found."""
        return float(np.mean(self.found))


def main() -> None:
    """Run, print a table a frame size, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folders = [Path("../shared/data/london"), Path("../shared/data/lfw")]
    parser.add_argument("--photographs", nargs="+", type=Path, default=folders, help="folders (default %(default)s)")
    parser.add_argument("--faces", type=int, default=20, help="faces of each size (default %(default)s)")
    parser.add_argument("--landmarker", type=Path, help="face_landmarker.task (default: as for difffake prepare)")
    args = parser.parse_args()

    cv2.setNumThreads(1)
    random = generator(0)
    results: dict[str, dict[int, dict[str, Answers]]] = {}
    with LandmarkDetector(landmarker_model(args.landmarker)) as detect:
        portraits = read_portraits(args.photographs, args.faces, detect, random)
        for name, (width, height) in FRAMES.items():
            background = texture(height, width, random)
            sizes = [size for size in SIZES if 2 * size < height]
            results[name] = {size: measure(detect, portraits, background, size, random) for size in sizes}
            show(name, width, height, results[name])
    print(json.dumps(summary(results, args.faces)))


def read_portraits(
    folders: Sequence[Path], count: int, detect: LandmarkDetector, random: np.random.Generator
) -> list[Portrait]:
    """`count` photographs that show one face, as many of each folder, in a random order."""
    portraits: list[Portrait] = []
    for number, folder in enumerate(folders, start=1):
        files = list_media(folder).images
        for index in random.permutation(len(files)):
            if len(portraits) >= count * number // len(folders):
                break
            image = read_image(files[index])
            faces = detect(image)
            if len(faces) == 1:
                portraits.append(Portrait(image, faces[0].box))
    if len(portraits) < count:
        raise UserError(f"only {len(portraits)} photographs with one face found: name more --photographs")
    return portraits


def texture(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """A frame (height, width, 3) uint8 of random blobs of several sizes and colors, so that no part is empty."""
    frame = np.zeros((height, width, 3), np.float32)
    for step in (2, 8, 32, 64):
        noise = random.normal(size=(height // step, width // step, 3)).astype(np.float32)
        frame += step**0.5 * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(frame, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def measure(
    detect: LandmarkDetector, portraits: list[Portrait], background: np.ndarray, size: int, random: np.random.Generator
) -> dict[str, Answers]:
    """What each kind of call finds of faces of one size, and in what time."""
    answers = {kind: Answers() for kind in ("alone", "search", "follow")}
    for portrait in portraits:
        scale = size / float(max(portrait.box[2:] - portrait.box[:2]))
        small = cv2.resize(portrait.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        # Of a large photograph no more than fits, around the face.
        room = np.array(background.shape[:2]) - size
        center = (portrait.box[1::-1] + portrait.box[:1:-1]) / 2 * scale
        top, left = np.maximum(0, np.minimum(center - room / 2, np.array(small.shape[:2]) - room)).astype(int)
        small = small[top : top + room[0], left : left + room[1]]
        box = portrait.box * scale - np.tile([left, top], 2)
        y, x = (int(random.integers(0, b - s)) for b, s in zip(background.shape[:2], small.shape[:2], strict=True))
        last: list[Face] = []
        for kind in ("search", "alone", "follow"):
            if kind == "follow":  # the next frame
                y = min(y + size // 4, background.shape[0] - small.shape[0])
            frame = background.copy()
            frame[y : y + small.shape[0], x : x + small.shape[1]] = small
            calls = {
                "alone": lambda: detect._landmarks(frame),  # noqa: B023  # called at once
                "search": lambda: detect(frame),  # noqa: B023
                "follow": lambda: detect.follow(frame, last),  # noqa: B023
            }
            faces = answers[kind].add(calls[kind], box + np.tile([x, y], 2))
            last = faces if kind == "search" else last
    return answers


def show(name: str, width: int, height: int, results: dict[int, dict[str, Answers]]) -> None:
    """Print the table of one frame size."""
    print(f"\n{name} ({width} x {height})   found: alone  search  follow   CPU ms: alone  search  follow   other boxes")
    for size, answers in results.items():
        recalls = "  ".join(f"{100 * kind.recall:4.0f} %" for kind in answers.values())
        times = "  ".join(f"{np.median(kind.ms):6.1f}" for kind in answers.values())
        print(f"  face of {size:3} px           {recalls}       {times}   {answers['search'].extra:4}")


def smallest(results: dict[int, dict[str, Answers]], kind: str) -> int | None:
    """Size from which on nearly all faces are found; None if not even the largest are."""
    found = None
    for size in sorted(results, reverse=True):
        if results[size][kind].recall < ENOUGH:
            break
        found = size
    return found


def summary(results: dict[str, dict[int, dict[str, Answers]]], faces: int) -> dict[str, object]:
    """What the last line says."""
    cells = [answers for sizes in results.values() for size, answers in sizes.items() if size >= SMALL]
    alone, ours = (np.mean([answers[kind].recall for answers in cells]) for kind in ("alone", "search"))
    return {
        "ratio": round(float(ours / alone), 3),
        "reference": "faces found by MediaPipe's landmarker alone",
        "recall": round(float(ours), 4),
        "recall_alone": round(float(alone), 4),
        "smallest_px": {
            name: {kind: smallest(sizes, kind) for kind in ("alone", "search", "follow")}
            for name, sizes in results.items()
        },
        "median_cpu_ms_at_64_px": {
            name: {kind: round(float(np.median(answers.ms)), 1) for kind, answers in sizes[SMALL].items()}
            for name, sizes in results.items()
        },
        "faces": faces,
    }


if __name__ == "__main__":
    main()
