"""The command `predict`: scores for images, videos and folders."""

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from difffake.commands.parse import AtLeast
from difffake.errors import UsageError, UserError
from difffake.files import refuse_existing
from difffake.predict.gather import check, expanded, named
from difffake.predict.overlay import distinct_names, new_folder, write_overlay
from difffake.predict.prediction import Prediction
from difffake.predict.predictor import Predictor
from difffake.predict.table import print_table, printable
from difffake.progress import console, track

EXAMPLES = (
    "difffake predict photo.jpg",
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 photos/",
    "difffake predict --onnx runs/lfw/detector.onnx photo.jpg",
    "difffake predict --ckpt runs/lfw/best.ckpt --cropped faces/",
    "difffake predict --ckpt runs/lfw/best.ckpt --json clip.mp4 > scores.jsonl",
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 --reference her_portrait.jpg his_talk.png",
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 photo.jpg --overlay pictures",
    "find archive -name '*.mp4' | difffake predict --ckpt runs/lfw/best.ckpt -",
)


def predict(
    files: list[Path],
    /,
    ckpt: str | None = None,
    onnx: Path | None = None,
    frames: Annotated[int, AtLeast(1)] = 32,
    seconds: float | None = None,
    cropped: bool = False,
    landmarker: Path | None = None,
    calibration: str = "auto",
    anomaly: str = "auto",
    reference: Sequence[Path] = (),
    false_alarms: float | None = None,
    device: str = "auto",
    imports: list[str] | None = None,
    overlay: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Score the people in images and videos. A file that fails is reported and passed over.

    Args:
        files: images, videos, patterns such as 'clips/*.mp4', or folders, of which all images and videos are scored; -
            reads their names from standard input, one on each line.
        ckpt: checkpoint of difffake fit, the run folder, whose best.ckpt is used, or a model folder of difffake
            publish; or its OWNER/NAME on the Hugging Face Hub. By default, the weak detector of the package.
        onnx: file of difffake export, instead of --ckpt.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        seconds: time per video after which no further frame is begun; the frames so far are spread over the clip. At
            least one face is scored. By default, all --frames are scored.
        cropped: take each image or frame as a crop of one face, without face detection.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        anomaly: file of difffake fit-anomaly, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists. It compares the frames of a video with one another, or a file with --reference.
        reference: real images of the person whom the files show, to compare them with.
        false_alarms: promised rate of false alarms, which needs a calibration: of real files like those that
            calibrated, at most this share is called fake, and of fakes, at most this share real. Files between are
            "cannot tell". By default 0.05, if there is a calibration.
        device: auto, cpu, cuda or cuda:N. On a CPU, onnxruntime runs the detector if it can, else torch.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        overlay: folder to write pictures to: of an image, each face with its activation map; of a video, a clip with
            the people's boxes and scores, and each person's scores over time.
        overwrite: replace an existing folder of pictures.
        json: print one line per file, a JSON object, instead of a table.

    Returns:
        The exit status: 1 if any file failed.
    """
    if ckpt and onnx:
        raise UsageError("--ckpt and --onnx name two detectors: give one of them")
    if onnx and onnx.suffix != ".onnx":
        raise UsageError(f"--onnx {onnx} is no .onnx file: make one with difffake export, or give --ckpt")
    paths, remarks = expanded(named(files))
    scored: list[tuple[Path, Prediction]] = []
    failures = drawn = 0
    options: dict[str, Any] = {
        "landmarker": landmarker,
        "frames": frames,
        "seconds": seconds,
        "device": device,
        "cropped": cropped,
        "calibration": calibration,
        "anomaly": anomaly,
        "false_alarms": false_alarms,
    }
    given = ckpt or onnx
    inputs = [*paths, *reference, *([Path(given)] if given else [])]
    if overlay:
        refuse_existing(overlay, overwrite, inputs, "--overlay")
    options["imports"] = imports or ()
    with Predictor(onnx, **options) if onnx else Predictor.from_pretrained(ckpt, **options) as predictor:
        known = predictor.references(reference) if reference else None
        if overlay:
            new_folder(overlay, overwrite, inputs)
        for remark in remarks:
            console.print(remark)

        def judged(path: Path) -> Prediction:
            check(path)
            return predictor.predict(path, known)

        try:
            with predictor.overlapped(judged, paths) as results:
                for path, name, result in zip(track(paths, "files"), distinct_names(paths), results, strict=True):
                    try:
                        prediction = result.result()
                    except Exception as error:  # any error of a library: the other files are still scored
                        failures += 1
                        _failed(path, error, json)
                        continue
                    scored.append((path, prediction))
                    answer = {"file": path.as_posix(), **prediction.to_dict()}
                    if overlay:
                        try:
                            pictures = write_overlay(predictor, path, prediction, overlay, name)
                        except Exception as error:  # the score stands
                            failures += 1
                            console.print(f"no pictures of {printable(path)}: {_reason(error, path)}")
                            pictures = []
                        drawn += len(pictures)
                        answer["overlay"] = [picture.as_posix() for picture in pictures]
                    if json:
                        print(json_format.dumps(answer), flush=True)
        finally:  # also if the user stopped the command: print what was scored before
            if scored and not json:
                print_table(scored, predictor)
    if failures:
        console.print(f"{failures} of {len(paths)} files failed")
    if overlay:
        console.print(f"pictures in {overlay}" if drawn else f"no pictures in {overlay}")
    return 1 if failures else 0


def _failed(path: Path, error: Exception, json: bool) -> None:
    reason = _reason(error, path)
    console.print(f"failed: {printable(path)}: {reason}")
    if json:
        print(json_format.dumps({"file": path.as_posix(), "error": reason}), flush=True)


def _reason(error: Exception, path: Path) -> str:
    """One line that says what failed, without a path at its start."""
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, UserError):
        text = f"{type(error).__name__}: {text}"
    return text.removeprefix(f"{path}: ").removeprefix(f"{path} ")
