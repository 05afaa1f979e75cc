"""Outputs are whole or absent, and nothing of the user's is deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from difffake.errors import UserError
from difffake.files import (
    MARKER,
    continued_folder,
    refuse_existing,
    refuse_existing_file,
    remove_written,
    resumable_folder,
    staged_file,
    staged_folder,
)


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(ZeroDivisionError), staged_file(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert not list(path.parent.iterdir())
    with staged_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_a_failed_rewrite_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with staged_folder(out) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), staged_folder(out, overwrite=True) as folder:
        raise ZeroDivisionError
    assert (out / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_work_at_its_final_path_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), continued_folder(out, "seed 0"):
        (out / "a").write_text("first stage")
        raise KeyboardInterrupt
    with pytest.raises(UserError, match="unfinished, with other settings"), continued_folder(out, "seed 1"):
        pass
    with continued_folder(out, "seed 0"):
        assert (out / "a").read_text() == "first stage"
    with pytest.raises(UserError, match="exists already"), continued_folder(out, "seed 0"):
        pass
    with continued_folder(out, "seed 0", overwrite=True):
        assert not (out / "a").exists()
    assert [path.name for path in out.iterdir()] == [MARKER]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"), staged_file(tmp_path / "a", overwrite=False):
        pass
    with pytest.raises(UserError, match="exists already"), staged_folder(tmp_path):
        pass
    with pytest.raises(UserError, match="is a folder, but a file is written"), staged_file(tmp_path):
        pass


def test_overwrite_does_not_delete_folders_of_others(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="was not written by difffake"), staged_folder(tmp_path, overwrite=True):
        pass
    with pytest.raises(UserError, match="was not written by difffake"):
        remove_written(tmp_path)
    assert (tmp_path / "holiday.jpg").exists()
    (tmp_path / MARKER).touch()
    remove_written(tmp_path)
    assert not tmp_path.exists()


def test_a_resumable_folder_is_kept_and_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), resumable_folder(out, "a") as folder:
        (folder / "one").write_text("1")
        (folder / ".partial-1-two").write_text("half")
        raise ZeroDivisionError
    assert not out.exists()
    with pytest.raises(UserError, match="other settings"), resumable_folder(out, "b"):
        pass
    with resumable_folder(out, "a") as folder:
        assert (folder / "one").read_text() == "1"
        assert not (folder / ".partial-1-two").exists()
    assert {path.name for path in out.iterdir()} == {".difffake", "one"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(UserError, match="--overwrite"), resumable_folder(out, "a"):
        pass
    with resumable_folder(out, "b", overwrite=True) as folder:
        (folder / "two").touch()
    assert {path.name for path in out.iterdir()} == {".difffake", "two"}


def test_a_resumable_folder_is_filled_by_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        resumable_folder(tmp_path / "out", "a"),
        pytest.raises(UserError, match="another run is writing"),
        resumable_folder(tmp_path / "out", "a"),
    ):
        pass


def test_a_foreign_folder_in_the_place_of_a_partial_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".partial-out").mkdir()
    (tmp_path / ".partial-out" / "mine").write_text("precious")
    with pytest.raises(UserError, match="not written by difffake"), resumable_folder(tmp_path / "out", "a", True):
        pass
    assert (tmp_path / ".partial-out" / "mine").read_text() == "precious"


@pytest.mark.parametrize("needed", ["out", "out/manifest.parquet", "out/crops"])
def test_a_folder_is_not_replaced_by_work_that_reads_from_it(tmp_path: Path, needed: str) -> None:
    out = tmp_path / "out"
    (out / "crops").mkdir(parents=True)
    (out / "manifest.parquet").touch()
    with pytest.raises(UserError, match="would replace"):
        refuse_existing(out, True, [tmp_path / needed])
    refuse_existing(out, True, [tmp_path, tmp_path / "outside", "stable-diffusion-v1-5/stable-diffusion-v1-5"])


@pytest.mark.parametrize("name", ["/proc/none/out", "/proc/out", "x" * 300, "deep/" + "x" * 300])
@pytest.mark.parametrize("check", [refuse_existing, refuse_existing_file])
def test_what_cannot_be_written_is_refused_at_the_start(
    tmp_path: Path, name: str, check: Callable[[Path, bool], None]
) -> None:
    """Permissions allow all to root, so only an attempt shows it."""
    if name.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no /proc")
    with pytest.raises(UserError, match=r"cannot be written.*: choose another --out") as caught:
        check(tmp_path / name, False)
    assert str(tmp_path / name) in str(caught.value)
    assert ".partial" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_errors_name_the_output_and_not_its_partial(tmp_path: Path) -> None:
    def fail(partial: Path) -> None:
        raise OSError(28, "No space left on device", str(partial))

    for staged, inside in ((staged_file, ""), (staged_folder, "a.txt")):
        with pytest.raises(OSError, match="No space") as caught, staged(tmp_path / "out") as partial:
            fail(partial / inside)
        assert caught.value.filename == str(tmp_path / "out")
    with pytest.raises(FileNotFoundError) as other, staged_file(tmp_path / "out"):
        (tmp_path / "input").read_text()
    assert other.value.filename == str(tmp_path / "input")
    assert not list(tmp_path.iterdir())
