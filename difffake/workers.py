"""Work in several processes, which end with the one that started them."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from difffake.errors import UserError

T = TypeVar("T")
U = TypeVar("U")

_AHEAD = 4
"""Units of work that wait for each process, so that none is idle."""


def in_processes(
    work: Callable[[T], U],
    units: Iterable[T],
    workers: int,
    start: Callable[..., None] | None = None,
    arguments: Sequence[Any] = (),
) -> Iterator[U]:
    """Results of `work` on each unit, as they are done.

    Processes are fresh ones, because forking one in which OpenCV, MediaPipe or torch already runs threads can hang.

    Args:
        work: a function of a module, called in a process with one unit.
        units: what it is called with.
        workers: processes; 0 is one per core.
        start: called once in every process, with `arguments`, before any work.
        arguments: of `start`.

    Raises:
        UserError: a process was killed.
    """
    workers = workers or os.cpu_count() or 1
    rest = iter(units)
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start, initargs=(start, tuple(arguments))
    ) as pool:
        waiting: set[Future[U]] = set()
        try:
            while True:
                waiting |= {pool.submit(work, unit) for unit in islice(rest, workers * _AHEAD - len(waiting))}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for job in done:
                    yield job.result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most often for want of memory: lower --workers; what is done is kept"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # If the parent is killed, nobody reads what this process makes, and a new run may be making it.
    threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
    if start:
        start(*arguments)


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
