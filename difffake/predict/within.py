"""The frames of a video that can be looked at within a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from difffake.faces.video import Frame, Video
from difffake.predict.seen import Look


class Stopwatch:
    """Measures the time from its making."""

    def __init__(self) -> None:
        self._begin = monotonic()

    @property
    def seconds(self) -> float:
        """Time that has passed."""
        return monotonic() - self._begin


@dataclass(frozen=True)
class Looks:
    """What was seen in the frames that were looked at."""

    looks: list[Look]
    """In the order of time."""
    total: int
    """Number of frames of the video."""
    notes: list[str]
    """What is wrong with the video, and how many frames the time was enough for."""


def middle_first(count: int) -> list[int]:
    """The numbers below `count` in such an order that those so far are always spread: middle, middles of halves, ...

    Numbers of one step are ordered in the same way.

    >>> middle_first(8)
    [4, 2, 6, 5, 3, 7, 1, 0]
    """
    order: list[int] = []
    parts = [(0, count)] if count else []
    while parts:
        step = [(low + high) // 2 for low, high in parts]
        order += [step[place] for place in middle_first(len(step))] if len(step) > 2 else step
        halves = [half for low, high in parts for half in ((low, (low + high) // 2), ((low + high) // 2 + 1, high))]
        parts = [(low, high) for low, high in halves if low < high]
    return order


def looks_within(
    path: Path,
    wanted: int,
    seconds: float,
    watch: Stopwatch,
    look: Callable[[Frame], Look],
    check: Callable[[], None],
) -> Looks:
    """Look at one frame after the other until the time is used.

    It goes on after that until a face was seen, because without one there is no answer.

    Args:
        path: video file.
        wanted: most frames, evenly spaced over the clip.
        seconds: time on `watch` after which no further frame is begun.
        watch: running stopwatch.
        look: looks at a frame.
        check: is called while frames are counted, and ends that by what it raises.

    Raises `UserError` as `read_clip` does.
    """
    video = Video(path)
    chosen = video.evenly(wanted)
    looks: list[Look] = []
    stopped = False
    for frame in _frames(video, [chosen[place] for place in middle_first(len(chosen))], check):
        looks.append(look(frame))
        stopped = watch.seconds >= seconds and any(one.crops for one in looks)
        if stopped:
            break
    notes = [video.shortfall] if video.shortfall else []
    if (left := len(chosen) - len(looks)) and stopped:
        notes.append(f"{seconds:g} s were enough for {len(looks)} of {len(chosen)} frames: more time, a surer score")
    elif left:
        notes.append(f"{left} of {len(chosen)} frames could not be decoded")
    return Looks(sorted(looks, key=lambda one: one.frame), len(video.there), notes)


def _frames(video: Video, numbers: list[int], check: Callable[[], None]) -> Iterator[Frame]:
    """The frames of these numbers; if none of them can be decoded, another one."""
    found = False
    for frame in video.frames(numbers):
        found = True
        yield frame
    if not found:
        video.count(check)
        yield from video.sound(video.evenly(1))
