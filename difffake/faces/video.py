"""Frames of a video by their numbers, decoded with FFmpeg (PyAV)."""

import errno
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from difffake.errors import UserError
from difffake.faces.images import MAX_PIXELS, too_large
from difffake.files import absent

# Containers that hold their frames themselves. FFmpeg knows an input by its first bytes, whatever its name is, and
# playlists and lists of files (HLS, DASH, ffconcat, SDP) would let it open other files or addresses.
_FORMATS = (
    "mov matroska avi mpeg mpegts mpegvideo m4v h264 hevc av1 obu ivf flv live_flv asf gif apng ogg mxf nut dv rm wtv "
    "mjpeg"
).split()
_SAFE = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}


class Frame(NamedTuple):
    """One frame of a video."""

    number: int
    """Counted from 0 in the order of presentation."""
    time: float
    """Seconds since the first frame."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB, upright."""


@dataclass(frozen=True)
class Clip:
    """Some frames of a video, and the number of all its frames."""

    frames: list[Frame]
    total: int
    """Frames that are there and can be decoded, as far as was looked."""
    announced: int
    """Number of frames according to the container; 0 if it gives none."""

    @property
    def shortfall(self) -> str:
        """A message for the user if clearly fewer frames could be decoded than announced; else empty.

        A difference of a few frames is usual, because containers are often slightly wrong.
        """
        if self.announced - self.total <= max(2, 0.05 * self.announced):
            return ""
        return f"only {self.total} of {self.announced} announced frames could be decoded: the file is cut or damaged"


class _Index(NamedTuple):
    """What the packets of a video say, before any is decoded."""

    announced: int
    pts: list[int]
    """Of each frame in the order of presentation, in the stream's time base; empty where packets do not say."""
    keys: list[int]
    """Numbers of frames that decoding can begin with."""
    packets: int
    rate: float
    """Frames per second, as the container claims; for frames whose packets have no time."""

    def key_before(self, number: int) -> int:
        """The last frame up to `number` that decoding can begin with; the first frame of all if the file marks none."""
        place = bisect_right(self.keys, number)
        return self.keys[place - 1] if place else 0


def even_indices(total: int, wanted: int) -> list[int]:
    """Frame numbers in the middle of `wanted` equal parts of `total` frames; all frames of a shorter clip.

    >>> even_indices(100, 4)
    [12, 37, 62, 87]
    >>> even_indices(3, 8)
    [0, 1, 2]
    """
    if wanted >= total:
        return list(range(total))
    return [int((i + 0.5) * total / wanted) for i in range(wanted)]


def read_clip(path: Path, wanted: int, threads: int = 0) -> Clip:
    """Decode up to `wanted` frames, evenly spaced over those that are there.

    Args:
        path: video file.
        wanted: most frames.
        threads: that FFmpeg decodes with; 0 lets it choose, 1 is best where several processes share the cores.

    Raises:
        UserError: the file cannot be opened, or holds no frame or frames of more than `MAX_PIXELS` pixels.
    """
    return _read(path, lambda there: [there[i] for i in even_indices(len(there), wanted)], threads)


def read_frames(path: Path, numbers: Sequence[int], threads: int = 0) -> Clip:
    """Decode the frames of these numbers, rising; those that are not there are left out. Else as `read_clip`."""
    wanted = set(numbers)
    return _read(path, lambda there: sorted(wanted & set(there)), threads)


def announced_length(path: Path) -> int:
    """Frames that a video's header counts, or else that it holds; 0 if it cannot be opened.

    A duration says too little: that of an MPEG program stream is an estimate, and MKV and WebM give none for a stream.
    """
    try:
        with _opened(path, 1) as (_, stream):
            counted = stream.frames
        return counted or _index(path).packets
    except UserError:
        return 0


def _read(path: Path, choose: Callable[[Sequence[int]], list[int]], threads: int) -> Clip:
    index = _index(path)
    # Where packets have no times, their frames are counted by decoding.
    there: Sequence[int] = range(len(index.pts) or index.packets)
    chosen = choose(there)
    frames, whole = _decode(path, index, chosen, threads)
    if not whole or len(frames) < len(chosen):
        # Some frame is broken: which ones are not is known after all have been decoded.
        there = [number for number, _ in _every(path, index, threads)]
        chosen = choose(there)
        frames = [_frame(n, frame, index) for n, frame in _every(path, index, threads) if n in set(chosen)]
    if not frames and not there:
        raise UserError(f"{path} holds no frame that FFmpeg can decode")
    return Clip(frames, len(there), index.announced)


@contextmanager
def _opened(path: Path, threads: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}")
    try:
        container = av.open(str(path), metadata_errors="replace", options=_SAFE)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a video: {_reason(error)}") from error
    with container:
        if not container.streams.video:
            raise UserError(f"{path} holds no video")
        stream = container.streams.video[0]
        if stream.codec_context is None:  # PyAV's stream then has no size either
            raise UserError(f"{path} holds a video in a codec that FFmpeg does not know")
        if stream.width * stream.height > MAX_PIXELS:
            raise too_large(path)
        stream.codec_context.thread_count = threads
        stream.thread_type = "AUTO"
        yield container, stream


def _claimed(stream: VideoStream) -> int:
    if stream.frames:
        return stream.frames
    rate = stream.average_rate
    if stream.duration and stream.time_base and rate:
        return round(float(stream.duration * stream.time_base * rate))
    return 0


def _index(path: Path) -> _Index:
    """Read all packets of a video without decoding any."""
    pts: list[int | None] = []
    keys = []
    with _opened(path, 1) as (container, stream):
        announced = _claimed(stream)
        rate = float(stream.average_rate or 25)
        if not announced and container.duration and stream.average_rate:
            announced = round(container.duration / av.time_base * float(stream.average_rate))
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    pts.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
        except (av.FFmpegError, OSError):
            pass  # the rest of the file is missing or damaged: `Clip.shortfall` says so
    known = [value for value in pts if value is not None]
    if len(set(known)) < len(pts):
        return _Index(announced, [], [], len(pts), rate)
    known.sort()
    number_of = {value: number for number, value in enumerate(known)}
    return _Index(announced, known, sorted(number_of[key] for key in keys if key is not None), len(pts), rate)


def _decode(path: Path, index: _Index, chosen: list[int], threads: int) -> tuple[list[Frame], bool]:
    """The chosen frames, and whether all packets on the way to them could be decoded.

    Goes to the last key frame before the next chosen frame where that leaves out others.
    """
    if not index.pts:
        frames, wanted, count = [], set(chosen), 0
        for number, each in _every(path, index, threads):
            count = number + 1
            if number in wanted:
                frames.append(_frame(number, each, index))
        return frames, count == index.packets
    found: list[Frame] = []
    number_of = {value: number for number, value in enumerate(index.pts)}
    missing = list(reversed(chosen))
    times = {index.pts[number] for number in chosen}
    with _opened(path, threads) as (container, stream):
        at = -1  # the last frame that came out
        while missing:
            key = index.key_before(missing[-1])
            if key > at + 1:
                try:
                    container.seek(index.pts[key], stream=stream)
                except av.FFmpegError:
                    return found, False
            for frame, sound in _frames_of(container, stream, times):
                if not sound or frame is None or frame.pts not in number_of:
                    return found, False
                at = number_of[frame.pts]
                if at > missing[-1]:
                    return found, False
                if at == missing[-1]:
                    found.append(_frame(missing.pop(), frame, index))
                    if not missing or index.key_before(missing[-1]) > at + 1:
                        break
            else:
                break
    return found, not missing


def _every(path: Path, index: _Index, threads: int) -> Iterator[tuple[int, VideoFrame]]:
    """Number and frame of all that can be decoded, in the order of presentation."""
    number_of = {value: number for number, value in enumerate(index.pts)}
    with _opened(path, threads) as (container, stream):
        count = 0
        for frame, _ in _frames_of(container, stream):
            if frame is None:
                continue
            number = count if not index.pts else number_of.get(frame.pts, -1) if frame.pts is not None else -1
            count += 1
            if number >= 0:
                yield number, frame


def _frames_of(
    container: InputContainer, stream: VideoStream, wanted: Set[int] | None = None
) -> Iterator[tuple[VideoFrame | None, bool]]:
    """Frames from where the container stands, each with whether it is sound; None for a packet that is not.

    With `wanted`, their times, others are left out where no frame refers to them.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, OSError):
            yield None, False
            return
        if wanted is not None:
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts is None or packet.pts in wanted else "NONREF"
        try:
            for frame in packet.decode():
                yield frame, not frame.is_corrupt
        except av.FFmpegError:
            yield None, False


def _frame(number: int, frame: VideoFrame, index: _Index) -> Frame:
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if turns := round(frame.rotation / 90) % 4:
        image = np.ascontiguousarray(np.rot90(image, turns))
    if index.pts and frame.pts is not None and frame.time_base:
        time = float((frame.pts - index.pts[0]) * frame.time_base)
    else:
        time = number / index.rate
    return Frame(number, time, image)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EINVAL:  # what FFmpeg says of a format outside the list
        return "it is in no video format that is read, or is a playlist, which could open other files"
    return str(getattr(error, "strerror", "") or " ".join(str(error).split()))
