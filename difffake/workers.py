"""Work in several processes, which end with the one that started them."""

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from multiprocessing.queues import Queue
from typing import Any, TypeVar

import cv2

from difffake.errors import UserError

T = TypeVar("T")
U = TypeVar("U")

_AHEAD = 4
"""Units of work that wait for each process, so that none is idle."""
_CHUNK = 64
"""Small units that a process does before it hands back their results."""
_FEW = 512
"""Small units that are done sooner than processes are started."""


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
    context = multiprocessing.get_context("spawn")
    # As `initargs`, arguments of more than a pipe holds would make the start of one process wait for the imports of the
    # process before.
    told = context.Queue()
    told.cancel_join_thread()  # where processes do not come to read, the thread that writes ends with this process
    message = pickle.dumps((start, tuple(arguments)))
    for _ in range(workers):
        told.put(message)
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(told,)) as pool:
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


def in_order(work: Callable[[T], U], units: Sequence[T], workers: int) -> Iterator[U]:
    """Results of `work` on each of many small units, such as pictures, in their order; a few are worked on here.

    OpenCV uses one thread in each process.

    Args:
        work: a function of a module, called with one unit.
        units: what it is called with.
        workers: processes; 0 is one per core.

    Raises:
        UserError: a process was killed.
    """
    if workers == 1 or len(units) <= _FEW:
        yield from map(work, units)
        return
    chunks = [(start, units[start : start + _CHUNK]) for start in range(0, len(units), _CHUNK)]
    early: dict[int, list[U]] = {}
    due = 0
    for start, results in in_processes(partial(_chunk, work), chunks, workers, cv2.setNumThreads, [1]):
        early[start] = results
        while due in early:
            ready = early.pop(due)
            due += len(ready)
            yield from ready


def _chunk(work: Callable[[T], U], chunk: tuple[int, Sequence[T]]) -> tuple[int, list[U]]:
    start, units = chunk
    return start, [work(unit) for unit in units]


def _start(told: "Queue[bytes]") -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # If the parent is killed, nobody reads what this process makes, and a new run may be making it.
    threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
    start, arguments = pickle.loads(told.get())  # from the parent
    if start:
        start(*arguments)


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
