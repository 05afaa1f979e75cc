"""Packets and decoded frames of a video (FFmpeg, by PyAV): what lies below `difffake.faces.video`."""

import errno
from bisect import bisect_right
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from difffake.errors import UserError
from difffake.faces.images import MAX_PIXELS, too_large
from difffake.faces.listing import kind_by_content
from difffake.files import absent

# Containers that hold their frames themselves. FFmpeg knows an input by its first bytes, whatever its name is, and
# playlists and lists of files (HLS, DASH, ffconcat, SDP) would let it open other files or addresses.
_FORMATS = (
    "mov matroska avi mpeg mpegts mpegvideo m4v h264 hevc av1 obu ivf flv live_flv asf gif apng ogg mxf nut dv rm wtv "
    "mjpeg"
).split()
_SAFE = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}


class Index(NamedTuple):
    """What the packets of a video say, before any is decoded."""

    announced: int
    pts: list[int]
    """Of each frame in the order of presentation, in the stream's time base; empty where packets do not say."""
    keys: list[int]
    """Numbers of frames that decoding can begin with."""
    packets: int
    rate: float
    """Frames per second, as the container claims; for frames whose packets have no time."""
    seconds: float
    """From the first frame to the last one, by the packets' times; what the header claims is not believed."""

    def key_before(self, number: int, back: int = 0) -> int:
        """The last frame up to `number` that decoding can begin with, or `back` such frames before; else the first."""
        place = bisect_right(self.keys, number) - back
        return self.keys[place - 1] if place > 0 else 0


@contextmanager
def opened(path: Path, threads: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video, but no other file or address that it names. Raises `UserError` if that is not possible."""
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}")
    try:
        container = av.open(str(path), metadata_errors="replace", options=_SAFE)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a video: {_reason(error, path)}") from error
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


def read_index(path: Path) -> Index:
    """Read all packets of a video without decoding any."""
    pts: list[int | None] = []
    keys = []
    with opened(path, 1) as (container, stream):
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
            pass  # the rest of the file is missing or damaged: `Video.shortfall` says so
        base = stream.time_base
    known = sorted(value for value in pts if value is not None)
    seconds = float((known[-1] - known[0]) * base) if known and base else len(pts) / rate
    if len(set(known)) < len(pts):
        return Index(announced, [], [], len(pts), rate, seconds)
    number_of = {value: number for number, value in enumerate(known)}
    return Index(announced, known, sorted(number_of[key] for key in keys if key is not None), len(pts), rate, seconds)


def walk(path: Path, index: Index, numbers: Sequence[int], threads: int) -> Iterator[tuple[int, VideoFrame | None]]:
    """The frames of these numbers, in their order; None for one that cannot be decoded. Packets must have times.

    Goes to the last key frame before the next frame where that leaves out others, or where it lies behind. Seeking in
    MPEG program streams ends behind that key frame: then it goes to the one before, and opens the file again to go to
    the first.
    """
    number_of = {value: number for number, value in enumerate(index.pts)}
    times = {index.pts[number] for number in numbers}
    with ExitStack() as files:
        container, stream = files.enter_context(opened(path, threads))
        at, coming = -1, frames_of(container, stream, times)  # the last frame that came out, and those after it
        lost, back = False, 0
        for number in numbers:
            keys: list[int | None] = [index.key_before(number, further) for further in range(back, 2)]
            if not lost and at < number and index.key_before(number, back) <= at + 1:
                keys.insert(0, None)  # no seeking
            if not index.key_before(number, 1):
                keys.append(-1)  # the file again
            found = None
            for key in keys:
                if key == -1:
                    files.close()
                    container, stream = files.enter_context(opened(path, threads))
                elif key is not None:
                    try:
                        container.seek(index.pts[key], stream=stream)
                    except av.FFmpegError:
                        continue
                if key is not None:
                    coming, at = frames_of(container, stream, times), -1
                at, found = _next(coming, number, number_of, at)
                if found is not None:
                    back = 1 if key is not None and key != index.key_before(number) else back
                    break
            lost = found is None
            yield number, found


def _next(
    coming: Iterator[tuple[VideoFrame | None, bool]], number: int, number_of: dict[int, int], at: int
) -> tuple[int, VideoFrame | None]:
    """The last number that came out, and the frame of a number; None if a frame before it is broken."""
    for frame, sound in coming:
        if not sound or frame is None or frame.pts not in number_of:
            break
        at = number_of[frame.pts]
        if at >= number:
            return at, frame if at == number else None
    return at, None


def every(path: Path, index: Index, threads: int) -> Iterator[tuple[int, VideoFrame]]:
    """Number and frame of all that can be decoded, in the order of presentation."""
    number_of = {value: number for number, value in enumerate(index.pts)}
    with opened(path, threads) as (container, stream):
        count = 0
        for frame, _ in frames_of(container, stream):
            if frame is None:
                continue
            number = count if not index.pts else number_of.get(frame.pts, -1) if frame.pts is not None else -1
            count += 1
            if number >= 0:
                yield number, frame


def frames_of(
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


def _reason(error: Exception, path: Path) -> str:
    if kind_by_content(path) == "image":
        return "it is a picture: give its name the suffix of one, such as .jpg"
    if getattr(error, "errno", None) == errno.EINVAL:  # what FFmpeg says of a format outside the list
        return "it is in no video format that is read, or is a playlist, which could open other files"
    return str(getattr(error, "strerror", "") or " ".join(str(error).split()))
