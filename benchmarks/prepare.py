"""How fast `difffake prepare` makes crops of videos, against MediaPipe's landmarker alone on the same decoded frames.

    python benchmarks/prepare.py /datasets/FaceForensics++/original_sequences/youtube/c23/videos --clips 24 --frames 16

Both sides use all cores, with a process on each. The reference gets decoded frames from memory and finds the landmarks
of each, once; difffake decodes, follows faces, crops, and writes the crops and the manifest. The last line is one JSON
object.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from difffake.commands.prepare import prepare
from difffake.data.manifest import Manifest
from difffake.faces.detection import LandmarkDetector
from difffake.faces.listing import list_media
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.workers import in_processes

_detector: LandmarkDetector  # of a process


def main() -> None:
    """Run both sides in turn and print frames per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of real videos")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    clips = list_media(options.root).videos[: options.clips]
    model = landmarker_model()
    with tempfile.TemporaryDirectory() as folder:
        root, decoded, out = (Path(folder, name) for name in ("root", "decoded", "out"))
        root.mkdir()
        decoded.mkdir()
        frames = 0
        for number, clip in enumerate(clips):
            (root / f"{number:04d}{clip.suffix}").symlink_to(clip.resolve())
            images = [frame.image for frame in read_clip(clip, options.frames).frames]
            np.save(decoded / f"{number:04d}.npy", np.stack(images))
            frames += len(images)
        ours, alone = [], []
        for _ in range(options.repeats):
            shutil.rmtree(out, ignore_errors=True)
            alone.append(frames / _seconds(partial(_landmarks, decoded, model)))
            ours.append(frames / _seconds(partial(prepare, "videos", root, out, frames=options.frames)))
        crops = len(Manifest.read(out))
    print(f"{len(clips)} clips, {frames} frames, {crops} crops, {os.cpu_count()} cores; frames per second:")
    for name, rates in (("difffake prepare", ours), ("landmarker alone", alone)):
        print(f"{name:18}{statistics.median(rates):8.1f} ({min(rates):.1f} to {max(rates):.1f})")
    ratio = statistics.median(ours) / statistics.median(alone)
    print(json.dumps({"ratio": round(ratio, 3), "reference": "MediaPipe's landmarker alone on decoded frames"}))


def _seconds(work: partial[None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _landmarks(decoded: Path, model: Path) -> None:
    list(in_processes(_find, sorted(decoded.iterdir()), 0, _start, (model,)))


def _start(model: Path) -> None:
    global _detector
    cv2.setNumThreads(1)
    _detector = LandmarkDetector(model)


def _find(path: Path) -> int:
    return sum(len(_detector(image)) for image in np.load(path))


if __name__ == "__main__":
    main()
