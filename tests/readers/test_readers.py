"""Readers turn layouts into items."""

import re
from pathlib import Path

import pytest

from difffake.errors import UserError
from difffake.readers.folder import read_folder
from difffake.readers.table import read_table
from difffake.readers.videos import read_videos


def test_folder_names_identities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Ann/1.jpg", "Ann/2.PNG", "Bea/1.jpg", "Bea/notes.txt", "loose.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    items = read_folder(tmp_path)
    assert [(item.name, item.identity, item.label) for item in items] == [
        ("Ann/1", "Ann", 0),
        ("Ann/2", "Ann", 0),
        ("Bea/1", "Bea", 0),
    ]
    said = " ".join(capsys.readouterr().err.split())
    assert "1 other file left out (Bea/notes.txt)" in said
    assert "1 loose image left out (loose.jpg)" in said


def test_videos_are_groups_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.mp4").touch()
    (tmp_path / "sub" / "a.AVI").touch()
    assert [(item.video, item.is_video) for item in read_videos(tmp_path)] == [("a", True), ("sub/a", True)]
    with pytest.raises(UserError, match="no images"):
        read_folder(tmp_path / "sub")


def test_table_joins_fakes_to_their_originals(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "images" / name).touch()
    (tmp_path / "manifest.csv").write_text("file,label,original,width\na.jpg,real,007,9\nb.jpg,fake,007,9\n")
    real, fake = read_table(tmp_path)
    assert (real.label, real.method, real.target, real.video) == (0, "real", "007", "")
    assert (fake.label, fake.method, fake.target, fake.file) == (1, "fake", "007", tmp_path / "images" / "b.jpg")


def test_originals_are_found_with_and_without_suffix(tmp_path: Path) -> None:
    """As in DFDC's own metadata: `original` on the fakes only, with suffix."""
    (tmp_path / "manifest.csv").write_text("file,label,original\nr0.mp4,REAL,\nf0.mp4,FAKE,r0.mp4\ns.v1.png,real,\n")
    real, fake, still = read_table(tmp_path)
    assert real.video == real.target == fake.target == "r0"
    assert (still.target, still.video) == ("s.v1", "")


def test_files_outside_of_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,label\n../a.jpg,real\n")
    with pytest.raises(UserError, match=r"line 2: .*outside"):
        read_table(tmp_path)


def test_frames_of_a_video_that_are_images(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "file,label,video,frame\na/7.png,real,a,7\na/12.png,real,a,012\nb.png,fake,,\n"
    )
    assert [(item.video, item.frame) for item in read_table(tmp_path)] == [("a", 7), ("a", 12), ("", 0)]


@pytest.mark.parametrize(
    ("column", "values"), [("role", ("reference", "Probe", "")), ("reference", ("true", "no", "0"))], ids=str
)
def test_trusted_images_of_a_person(tmp_path: Path, column: str, values: tuple[str, str, str]) -> None:
    rows = zip(("a.png,real", "b.png,real", "c.png,fake"), values, strict=True)
    (tmp_path / "manifest.csv").write_text(
        f"file,label,{column}\n" + "".join(f"{row},{value}\n" for row, value in rows)
    )
    assert [item.role for item in read_table(tmp_path)] == ["reference", "", ""]


def test_table_of_videos(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label,method,split\nx/a.mp4,1,FaceSwap,test\ny/a.mp4,0,ignored,train\n")
    fake, real = read_table(tmp_path, "t.csv")
    assert (fake.video, fake.method, fake.split) == ("x/a", "FaceSwap", "test")
    assert (real.video, real.method, real.split) == ("y/a", "real", "train")


def test_splits_of_a_table_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,label,split\na.jpg,0,Train\nb.jpg,0,validation\nc.jpg,1,TEST\n")
    assert [item.split for item in read_table(tmp_path)] == ["train", "val", "test"]


@pytest.mark.parametrize("text", ["a.jpg,0,\nb.jpg,0,train", "a.jpg,0,train\nb.jpg,0,"])
def test_a_split_is_given_for_all_files_or_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.csv").write_text(f"file,label,split\n{text}\n")
    with pytest.raises(UserError, match=r"manifest\.csv, line 3: fill the column split for every file"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label,split\na.jpg,0,train\nb.jpg,0,prod\n", "line 3: split 'prod' is unknown: use train, val, test"),
        ("file,label,frame\na.jpg,0,-1\n", "line 2: frame '-1'"),
        ("file,label,frame\na.jpg,0,3.5\n", "line 2: frame '3.5'"),
        ("file,label,role\na.jpg,0,suspect\n", "line 2: role 'suspect'"),
        ("file,label,reference\na.jpg,0,no\nb.jpg,fake,yes\n", "line 3: a fake cannot be a reference"),
        ("file,label\na.jpg,maybe\n", "line 2: label 'maybe'"),
        ("name;label\n", r"lacks the column\(s\) file: it has name, label"),
        ("file,File,label\n", "two columns named file"),
        ("", "CSV"),
    ],
)
def test_table_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("file;label\na.jpg;real\nb.jpg;fake\n", "utf-8"),
        ("file\tlabel\na.jpg\treal\nb.jpg\tfake\n", "utf-8"),
        ("file, label\na.jpg, real\nb.jpg , fake \n", "utf-8"),
        ("File,LABEL\r\na.jpg,Real\r\nb.jpg,FAKE\r\n", "utf-8-sig"),
        ("file,label\na.jpg,0\nb.jpg,1\n", "utf-16"),
    ],
)
def test_tables_of_other_programs(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))
    assert [(item.file.name, item.label) for item in read_table(tmp_path)] == [("a.jpg", 0), ("b.jpg", 1)]


def test_frames_without_a_column_keep_the_number_of_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "manifest.csv"
    table.write_text("file,label,video\n000/0000.png,real,000\n000/000_0012.png,real,000\nc2.png,fake,\n")
    assert [item.frame for item in read_table(tmp_path)] == [0, 12, 0]
    assert capsys.readouterr().err == ""
    table.write_text("file,label,video\na/x.png,real,v\na/y.png,real,v\n")
    read_table(tmp_path)
    assert "1 frames of videos are there more than once, such as v frame 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\nCeleb-real/a.mp4,1\nCeleb-synthesis/b.mp4,0\n", "2 of 2 .* line 2 is fake, but Celeb-real says"),
        ("file,label,method\na.mp4,0,\nb.mp4,0,FaceSwap\n", "1 of 2 .* line 3 is real, but FaceSwap says"),
        ("file,label,method\nfake/a.mp4,1,real\n", "1 of 1 .* line 2 is fake, but real says"),
    ],
)
def test_labels_that_folders_contradict(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    read_table(tmp_path)
    assert re.search(said, capsys.readouterr().err)


def test_labels_that_folders_confirm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "real/a.mp4,0,", "fake/b.mp4,1,FaceSwap", "Ann_Fake/c.mp4,0,"
    (tmp_path / "manifest.csv").write_text("file,label,method\n" + "\n".join(rows) + "\n")
    read_table(tmp_path)
    assert capsys.readouterr().err == ""
