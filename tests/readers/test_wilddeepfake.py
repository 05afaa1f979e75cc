"""WildDeepfake with its archives unpacked where they lie."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.wilddeepfake import read_wilddeepfake

FOLDERS = ("real_train", "fake_train", "real_test", "fake_test")


def wild(root: Path, *folders: str) -> Path:
    """Two archives of two sequences in each folder; sequences of both have the same names, as in the download."""
    names = []
    for folder in folders:
        kind = folder.partition("_")[0].split(" ")[0]
        names += [f"{folder}/{n}.tar.gz" for n in (0, 1)]
        names += [f"{folder}/{n}/{kind}/{s}/{f}.png" for n in (0, 1) for s in (7, 12) for f in (9, 10, 300)]
    return grow(root, *names)


@pytest.mark.parametrize("top", ["", "deepfake_in_the_wild/"])
def test_a_sequence_is_a_video_with_its_frames_numbers(tmp_path: Path, top: str) -> None:
    wild(tmp_path / top, *FOLDERS)
    items = read_wilddeepfake(tmp_path)
    assert len(items) == len({item.video for item in items}) == len({item.name for item in items}) == 16
    assert {(item.split, item.label, item.method) for item in items} == {
        ("train", 0, "real"), ("train", 1, "WildDeepfake"), ("test", 0, "real"), ("test", 1, "WildDeepfake"),
    }  # fmt: skip
    item = next(item for item in items if item.video == "fake_test/1/fake/12")
    folder = tmp_path / top / "fake_test/1/fake/12"
    assert (item.file, item.label, item.split) == (folder, 1, "test")
    assert item.images == ((9, folder / "9.png"), (10, folder / "10.png"), (300, folder / "300.png"))
    assert item.name == f"{top}fake_test/1/fake/12"


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild(tmp_path, "real_test", "fake test")
    grow(tmp_path, "real_test/2.tar.gz", "real_test/11.tar.gz")
    assert {item.split for item in read_wilddeepfake(tmp_path)} == {"test"}
    said = capsys.readouterr().err
    assert "real_train, fake_train missing" in said
    assert "real_test: 2 archives not unpacked, such as 11.tar.gz" in said


@pytest.mark.parametrize(("folders", "message"), [((), "no sequences such as"), (("real_test",), "of one kind only")])
def test_a_set_of_one_kind_is_refused(tmp_path: Path, folders: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_wilddeepfake(wild(tmp_path, *folders))
