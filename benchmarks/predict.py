"""How fast `difffake predict` scores videos, against the slowest of its parts alone: decoding, faces, or the encoder.

    python benchmarks/predict.py /datasets/clips --ckpt runs/first/best.ckpt --long talk.mp4

The parts run one after the other on frames and crops in memory, with one face detector; difffake runs them at the same
time, and two files at a time with a face detector each. With --long, one
clip is also scored with 32 frames and with two frames per second, each by the command in a process of its own, so that
the time includes its start. With --photo, one photograph is scored by the command too: with the detector's program in
the cache, with an empty cache, and by torch, in turns. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from difffake import Predictor
from difffake.faces.detection import LandmarkDetector
from difffake.faces.listing import list_media
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import Video, read_clip
from difffake.memory import keep_freed_memory
from difffake.predict.finders import Finders
from difffake.predict.scorer import open_scorer
from difffake.predict.seen import Seen


def main() -> None:
    """Time the parts and the whole in turn and print frames per second, shares and ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of videos")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint, or an ONNX file of difffake export")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", type=Path, help="one clip of a minute or so")
    parser.add_argument("--photo", type=Path, help="one photograph")
    options = parser.parse_args()
    keep_freed_memory()  # as every command does
    paths = [path for path in list_media(options.root).media if path.suffix.lower() not in (".jpg", ".png")]

    scorer = open_scorer(options.ckpt, "cpu")
    clips = [read_clip(path, options.frames).frames for path in paths]
    with closing(Seen(Finders(partial(LandmarkDetector, landmarker_model(None))), scorer.margin or 1.3)) as seen:
        crops = [crop.pixels for clip in clips for look in seen.looks(clip) for crop in look.crops]
        pixels = [crop for crop in crops if crop is not None]
        parts: dict[str, Callable[[], object]] = {
            "decoding": lambda: [list(video.sound(video.evenly(options.frames))) for video in map(Video, paths)],
            "faces": lambda: [list(seen.looks(clip)) for clip in clips],
            "encoder": lambda: scorer(pixels),
        }
        with Predictor(options.ckpt, frames=options.frames, device="cpu") as predictor:
            parts["all at once"] = lambda: predictor.predict(paths)
            times = {name: [] for name in parts}  # type: dict[str, list[float]]
            busy = dict.fromkeys(parts, 0.0)
            for _ in range(options.repeats + 1):
                for name, part in parts.items():
                    begin, before = time.perf_counter(), time.process_time()
                    part()
                    times[name].append(time.perf_counter() - begin)
                    busy[name] = time.process_time() - before
    count = sum(map(len, clips))
    middle = {name: statistics.median(taken[1:]) for name, taken in times.items()}  # the first time warms up
    alone = {name: seconds for name, seconds in middle.items() if name != "all at once"}
    found: dict[str, object] = {"clips": len(paths), "frames": count, "crops": len(pixels), "cores": os.cpu_count()}
    for name, seconds in middle.items():
        low, high = min(times[name][1:]), max(times[name][1:])
        share = f", {100 * seconds / sum(alone.values()):.0f} % of the parts" if name in alone else ""
        print(
            f"{name}: {count / seconds:.1f} frames/s ({count / high:.1f} to {count / low:.1f}){share}, "
            f"{1000 * busy[name] / count:.1f} ms of processors per frame"
        )
        found[name] = round(count / seconds, 1)
    slowest = max(alone, key=lambda name: alone[name])
    ratios = [taken[slowest] / taken["all at once"] for taken in _rows(times)]
    print(f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of the speed of {slowest} alone")
    found |= {"slowest": slowest, "ratio": round(float(np.median(ratios)), 3)}
    if options.long:
        found |= _long(options.long, options.ckpt)
    if options.photo:
        found |= _starts(options.photo, options.ckpt, options.repeats)
    print(json.dumps(found))


def _rows(times: dict[str, list[float]]) -> list[dict[str, float]]:
    """Times of the repeats after the first, by part."""
    return [dict(zip(times, row, strict=True)) for row in zip(*times.values(), strict=True)][1:]


def _long(path: Path, ckpt: Path) -> dict[str, float]:
    """Seconds and memory of the command on one long clip."""
    video = Video(path)
    length = len(video.there) / video.rate
    found = {"long clip, s": round(length, 1)}
    for name, frames in (("32 frames", 32), ("two frames per second", round(2 * length))):
        seconds, megabytes = _command(["-m", "difffake"], path, ckpt, "--frames", str(frames))
        print(f"{name} of {length:.0f} s: {seconds:.1f} s, {seconds / length:.2f} of its length, {megabytes:.0f} MB")
        found |= {f"{name}, s": round(seconds, 2), f"{name}, MB": round(megabytes)}
    return found


def _starts(path: Path, ckpt: Path, repeats: int) -> dict[str, float]:
    """Seconds and memory of the command on one photograph."""
    torch = "import sys; from difffake.commands.main import main; from difffake.predict import compiled_scorer as own; "
    torch += "own.kept_scorer = own.compiled_scorer = lambda *_: None; sys.exit(main(sys.argv[1:]))"
    taken: dict[str, list[tuple[float, float]]] = {"program in the cache": [], "empty cache": [], "torch": []}
    for _ in range(repeats + 1):
        for name, runs in taken.items():
            words = ["-c", torch] if name == "torch" else ["-m", "difffake"]
            with TemporaryDirectory() as empty:
                runs.append(_command(words, path, ckpt, cache=empty if name == "empty cache" else None))
    found: dict[str, float] = {}
    for name, runs in taken.items():
        seconds, megabytes = zip(*runs[1:], strict=True)  # the first time fills the cache
        print(
            f"one photograph, {name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), "
            f"{max(megabytes):.0f} MB"
        )
        found |= {f"photograph, {name}, s": round(statistics.median(seconds), 2)}
    return found


def _command(python: list[str], path: Path, ckpt: Path, *options: str, cache: str | None = None) -> tuple[float, float]:
    """Seconds and megabytes of `difffake predict`, in a process started with these words of Python."""
    # A process between, because the children of this one may have taken more memory before.
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    words = ["predict", "--onnx" if ckpt.suffix == ".onnx" else "--ckpt", str(ckpt), "--device", "cpu", str(path)]
    words += ["--landmarker", str(landmarker_model(None)), *options]
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, *python, *words],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | ({"DIFFFAKE_CACHE": cache} if cache else {}),
    )
    return time.perf_counter() - begin, int(done.stdout) / 1024


if __name__ == "__main__":
    main()
