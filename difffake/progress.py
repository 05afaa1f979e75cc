"""Progress of long work, with rate and remaining time: a bar on a terminal, lines in a log file."""

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")

SECONDS = 15.0
"""Seconds from one line of progress to the next, without a terminal."""

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
"""Prints to standard error. Brackets in names are printed as they are, and a long message stays one line."""


class _Rate(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` and show their number, rate and remaining time on standard error.

    On a terminal this is a bar; otherwise (a pipe, a log file) a line every `SECONDS` seconds.

    Args:
        items: the items to work on.
        description: one or two words that describe the work.
        total: number of items; needed if `items` has no length.
    """
    if not console.is_terminal:
        yield from _lines(items, description, total)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description=description)


def _lines(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    """Yield `items` and print a line every `SECONDS` seconds."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    begin = said = time.monotonic()
    number = 0
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said < SECONDS and not (number == total and said > begin):
            continue
        said = now
        rate = number / (now - begin)
        of = f" of {total}" if total else ""
        left = f", {duration((total - number) / rate)} left" if total else ""
        console.print(f"{description}: {number}{of}, {rate:.1f}/s{left}")


def duration(seconds: float) -> str:
    """A duration in hours, minutes and seconds.

    >>> duration(7.4), duration(205), duration(3725)
    ('0:07', '3:25', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
