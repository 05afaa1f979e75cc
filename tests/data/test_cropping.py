"""What is said of a file that gives no crop."""

from pathlib import Path
from typing import Any

import pytest

from difffake.data.cropping import Cropping, Part, crop_file
from difffake.readers.item import Item


@pytest.mark.parametrize("numbers", [[], None])
def test_frames_of_which_none_is_wanted_are_not_lost_in_silence(tmp_path: Path, numbers: list[int] | None) -> None:
    """`--every 10` of a folder that has the frames 3 and 7 takes none of them, and says so."""
    images = tuple((number, tmp_path / f"{number}.png") for number in (3, 7))
    part = Part(Item(tmp_path, "a", video="a", images=images), "test", numbers)
    nobody: Any = None  # no picture is read, so that no face is looked for
    rows, skipped = crop_file(part, tmp_path, Cropping(2, 1.3, 384), nobody)
    assert not rows
    if numbers is None:
        assert [note["frame"] for note in skipped] == [3, 7]
    else:
        assert skipped == [{"frame": 0, "kept": False, "reason": "none of its 2 frames has a number that is wanted"}]
