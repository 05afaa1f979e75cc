"""Every reader on lists that are cut, empty or something else, and on roots that are a folder too high or too low."""

import shutil
from pathlib import Path

import pytest
from small_trees import TREES, lists_of, plant

from difffake.errors import UserError
from difffake.readers.lists import read_csv, read_json, read_text
from difffake.readers.reader import find_readers

READERS = find_readers()
OWN_LAYOUTS = {"folder", "videos", "classes", "table"}
BROKEN = {
    "other bytes": b"\xff\xd8\xff\xe0\x80",
    "empty": b"",
    "blank": b"\n \n",
    "another encoding": "fil\u00e9 x y z\n".encode("latin-1"),
    "a web page": b"<!DOCTYPE html><html>404</html>",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "an object": b'{"a": {"b": 1}}',
    "a number": b"3",
    "zeros": b"a,b\n\0,\0\n",
}


def test_there_is_a_tree_of_every_published_layout(tmp_path: Path) -> None:
    assert set(TREES) == set(READERS) - OWN_LAYOUTS
    for name in TREES:
        items = READERS[name].read(plant(tmp_path / name, name))
        assert {item.label for item in items} == {0, 1}
        assert all(item.file.exists() for item in items)


@pytest.mark.parametrize("name", [name for name in TREES if lists_of(name)])
def test_broken_lists_are_named_in_one_line(name: str, tmp_path: Path) -> None:
    """A list is never taken for an empty one: what it should have named would be lost, or go into another split."""
    root = plant(tmp_path / "tree", name)
    for listed in lists_of(name):
        sound = (root / listed).read_bytes()
        for content in BROKEN.values():
            (root / listed).write_bytes(content)
            with pytest.raises(UserError) as raised:
                READERS[name].read(root)
            assert "\n" not in str(raised.value)
            assert Path(listed).name in str(raised.value)
        (root / listed).write_bytes(b"\xef\xbb\xbf" + sound)  # the mark that some editors put before a text
        READERS[name].read(root)
        (root / listed).write_bytes(sound)


@pytest.mark.parametrize("name", TREES)
def test_a_root_a_folder_too_high_or_too_low(name: str, tmp_path: Path) -> None:
    root = plant(tmp_path / "above" / "tree", name)
    reader = READERS[name]
    if name == "ffiw":  # its root may be the release or the folder above
        root = root / "FFIW10K-v1-release"
    assert reader.near(root) is None
    assert reader.near(root.parent) == root
    for below in (path for path in root.iterdir() if path.is_dir()):
        assert reader.near(below) == root
    assert reader.near(tmp_path / "nowhere") is None


def test_one_missing_part_of_dfdc_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = plant(tmp_path, "dfdc")
    shutil.copytree(root / "dfdc_train_part_0", root / "dfdc_train_part_1")
    (root / "dfdc_train_part_1" / "metadata.json").unlink()
    assert len(READERS["dfdc"].read(root)) == 4
    assert "dfdc_train_part_1: 2 videos left out, without metadata.json" in capsys.readouterr().err


def test_lists_in_other_encodings(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_text("file,x\né.mp4,1\nb.mp4\n", encoding=encoding)
        assert read_csv(file, "what", ("file",)) == [{"file": "é.mp4", "x": "1"}, {"file": "b.mp4", "x": ""}]
    file.write_text("변조", encoding="cp949")
    assert read_text(file, "what", ("utf-8", "cp949")) == "변조"
    with pytest.raises(UserError, match=r"a\.csv is no text: it says what, so download it again"):
        read_text(file, "what")


def test_tables_that_are_cut(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for text, message in (
        ("file,x\n", "has no rows"),
        ("name,x\na,1\n", r"lacks the column\(s\) file: it has name, x"),
        ("file,x\na,1\n ,2\n", "row 2 has no file"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            read_csv(file, "what", ("file",))
    file.write_text('{"a": 1')
    with pytest.raises(UserError, match=r"a\.csv is no whole JSON file .*: download it again"):
        read_json(file, "what")
    with pytest.raises(UserError, match=r"b\.csv is missing: it says what, so take it from the download"):
        read_json(tmp_path / "b.csv", "what")
