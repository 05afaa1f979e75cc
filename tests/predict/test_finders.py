"""Several threads find faces at once, each with a detector of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from difffake.errors import UserError
from difffake.faces.detection import Face, FaceFinder
from difffake.predict.finders import Finders


def nothing(image: np.ndarray) -> list[Face]:
    return []


def lend(finders: Finders) -> FaceFinder:
    with finders.lent() as finder:
        return finder


def counted(made: list[FaceFinder]) -> FaceFinder:
    made.append(lambda image: [])
    return made[-1]


def test_another_detector_is_made_only_while_all_are_lent_and_no_more_than_allowed() -> None:
    made: list[FaceFinder] = []
    finders = Finders(lambda: counted(made), 2)
    for _ in range(3):
        with finders.lent() as first:
            assert first is made[0]
    assert len(made) == 1
    with ThreadPoolExecutor(1) as pool, finders.lent() as first:
        with finders.lent() as second:
            assert first is not second
            waiting = pool.submit(lend, finders)
            with pytest.raises(TimeoutError):
                waiting.result(0.05)
        assert waiting.result(5) is second
    assert len(made) == 2


def test_detectors_are_given_back_while_another_is_made() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[FaceFinder] = []

    def slowly() -> FaceFinder:
        if made:
            begun.set()
            assert go_on.wait(5)
        return counted(made)

    finders = Finders(slowly, 2)
    with ThreadPoolExecutor(2) as pool:
        with finders.lent() as first:
            second = pool.submit(lend, finders)
            assert begun.wait(5)
        assert lend(finders) is first
        closing = pool.submit(finders.close)
        with pytest.raises(TimeoutError):
            closing.result(0.05)  # the one that is made must be closed too
        go_on.set()
        assert second.result(5) is made[1]
        closing.result(5)


def test_a_detector_that_cannot_be_made_leaves_room_for_another() -> None:
    made: list[FaceFinder] = []

    def once_broken() -> FaceFinder:
        if len(made) == 1:
            made.append(nothing)
            raise MemoryError("no room")
        return counted(made)

    finders = Finders(once_broken, 2)
    with finders.lent():
        with pytest.raises(MemoryError, match="no room"):
            lend(finders)
        assert lend(finders) is made[2]
    finders.close()


def test_after_an_error_the_detector_is_free_again() -> None:
    finders = Finders(lambda: nothing)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"), finders.lent():
            raise ValueError("broken")
    with finders.lent() as found:
        assert found is nothing


def test_closing_waits_for_who_still_looks_and_refuses_who_waits() -> None:
    finders = Finders(lambda: nothing)
    begun, go_on = threading.Event(), threading.Event()

    def look() -> str:
        with finders.lent():
            begun.set()
            assert go_on.wait(5)
        return "looked"

    with ThreadPoolExecutor(3) as pool:
        looking = pool.submit(look)
        assert begun.wait(5)
        waiting = pool.submit(lend, finders)
        closing = pool.submit(finders.close)
        with pytest.raises(UserError, match="this Predictor is closed"):
            waiting.result(5)
        assert not closing.done()
        go_on.set()
        assert looking.result(5) == "looked"
        closing.result(5)
    with pytest.raises(UserError, match="this Predictor is closed"):
        lend(finders)
