"""A clip with the people, scores and verdicts of a video drawn into it."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from difffake.errors import UserError
from difffake.faces.video import Frame, Video
from difffake.predict.marks import Mark, marked, scale_of, scaled, scaled_box
from difffake.predict.prediction import FaceScore, Person, Prediction

LONGEST = 60.0
"""Seconds up to which the whole video is shown. Of a longer one, only what is around the scored frames."""
HOLD = 0.5
"""Seconds before and after a scored frame in which its boxes are shown."""
LARGEST = 1280
"""Longer side of the clip in pixels."""
_TICKS = Fraction(1, 90_000)

Percent = Callable[[float], str]
"""P(fake) of a logit as a text."""


def write_annotated_clip(source: Path, prediction: Prediction, percent: Percent, target: Path) -> None:
    """Write an MP4 file (H.264, without sound) of a video with its people's boxes, numbers, scores and verdicts.

    A box moves evenly between scored frames that are at most a second apart; at scored frames its line is thick. Frames
    are decoded, drawn and encoded one by one, so memory does not depend on the length.

    Args:
        source: the video.
        prediction: its result.
        percent: P(fake) of a logit as a text.
        target: MP4 file to write.

    Raises `UserError` if no frame can be decoded.
    """
    video = Video(source)
    rate = min(max(video.rate, 1.0), 120.0)
    scored = sorted({face.frame for face in prediction.faces} | {frame for frame, _ in prediction.frames_without_face})
    times = [face.time or 0.0 for face in prediction.faces] + [at or 0.0 for _, at in prediction.frames_without_face]
    numbers = shown_frames(scored, len(video.there), rate)
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        stream.options = {"crf": "23", "preset": "veryfast"}
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TICKS  # frames keep their own times
        scale = 0.0
        for frame, at in _timed(video.frames(numbers), rate):
            scale = scale or scale_of(frame.image, LARGEST)
            picture = scaled(frame.image, scale)
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            marks = [
                Mark(scaled_box(found[0], scale), found[1], person.verdict, strong=found[2])
                for number, person in enumerate(prediction.people, 1)
                if (found := _shown(number, person, frame, percent))
            ]
            near = any(abs(frame.time - time) <= HOLD for time in times)
            corner = f"{frame.time:.2f} s" + ("" if near else ": not scored")
            drawn = av.VideoFrame.from_ndarray(marked(picture, marks, corner), format="rgb24")
            drawn.pts, drawn.time_base = round(at / _TICKS), _TICKS
            container.mux(stream.encode(drawn))
        if not scale:
            raise UserError(f"{source} holds no frame that FFmpeg can decode")
        container.mux(stream.encode())


def shown_frames(scored: Sequence[int], total: int, rate: float) -> list[int]:
    """Numbers of the frames to show: all of a video of up to `LONGEST`, else those within `HOLD` of scored frames.

    With very many scored frames, less is shown around each, so that all are never longer than about `LONGEST`.

    Args:
        scored: numbers of the scored frames, rising.
        total: number of frames of the video.
        rate: frames per second.
    """
    if total <= LONGEST * rate:
        return list(range(total))
    around = min(round(HOLD * rate), max(0, int((LONGEST * rate / len(scored) - 1) / 2)))
    near = {number for at in scored for number in range(at - around, at + around + 1)}
    return sorted(number for number in near if 0 <= number < total)


def _timed(frames: Iterator[Frame], rate: float) -> Iterator[tuple[Frame, float]]:
    """Frames with their time in the clip, in which stretches follow each other without a gap."""
    at, before = 0.0, None
    for frame in frames:
        if before:
            step = frame.time - before.time if frame.number == before.number + 1 else 1 / rate
            at += step if step > 0 else 1 / rate
        yield frame, at
        before = frame


def _shown(
    number: int, person: Person, frame: Frame, percent: Percent
) -> tuple[tuple[int, int, int, int] | None, list[str], bool] | None:
    """Box, text, and whether this very frame was scored; None if the person was not seen near it."""
    nearest = min(person.faces, key=lambda face: abs((face.time or 0.0) - frame.time))
    if abs((nearest.time or 0.0) - frame.time) > HOLD:
        return None
    verdict = f", {person.verdict}" if person.verdict else ""
    lines = [f"person {number}: P(fake) {percent(person.logit)}{verdict}", f"this frame: {percent(nearest.logit)}"]
    return _moved(person.faces, nearest, frame.time), lines, nearest.frame == frame.number


def _moved(faces: Sequence[FaceScore], nearest: FaceScore, time: float) -> tuple[int, int, int, int] | None:
    """The box at a time, between those of two scored frames that are close together."""
    for before, after in pairwise(faces):
        start, end = before.time or 0.0, after.time or 0.0
        if start <= time < end and end - start <= 2 * HOLD and before.box and after.box:
            share = (time - start) / (end - start)
            box = (1 - share) * np.array(before.box) + share * np.array(after.box)
            x0, y0, x1, y1 = (round(edge) for edge in box.tolist())
            return x0, y0, x1, y1
    return nearest.box
