"""Scores of other detectors, read from CSV files: which rows they belong to, and what is said of the rest."""

from pathlib import Path

import pandas as pd
import pytest
from rows import fake, manifest_of, row

from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.evaluation.outside_scores import check_outside_names, read_outside
from difffake.evaluation.results import result_rows, video_scores

CLIP = "crops/faked/c23/DF/videos/1_2"


@pytest.fixture
def sets() -> list[Manifest]:
    """Two stills in one data set, and in another two frames each of a real video and of two fakes of one name."""
    stills = [row("crops/ann/1.png", dataset="a"), fake("crops/bob/2.png", dataset="a")]
    frames = [row(f"crops/youtube/1/{n}.png", dataset="b", video="1", frame=n, compression="c23") for n in (0, 9)]
    for method in ("DF", "FS"):
        name = f"crops/faked/c23/{method}/videos/1_2"
        frames += [
            fake(f"{name}/{n}.png", dataset="b", method=method, video=f"{method}/1_2", frame=n, compression="c23")
            for n in (0, 9)
        ]
    return [manifest_of(*stills, root=Path("data/a")), manifest_of(*frames, root=Path("data/b"))]


def csv(folder: Path, *lines: str, name: str = "theirs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("crops/ann/1.png", "crops/ann/1.png"),
        ("data/a/crops/ann/1.png", "crops/ann/1.png"),
        ("ann/1.jpg", "crops/ann/1.png"),
        ("2.jpg", "crops/bob/2.png"),
        ("/elsewhere/set/ann/1.jpg", "crops/ann/1.png"),
        ("C:\\set\\bob\\2.jpg", "crops/bob/2.png"),
        (f"{CLIP}/9.png", f"{CLIP}/9.png"),
        (f"/elsewhere/{CLIP}/9.png", f"{CLIP}/9.png"),
    ],
)
def test_a_crop_has_many_names(sets: list[Manifest], tmp_path: Path, name: str, path: str) -> None:
    table, _ = read_outside(csv(tmp_path, "path,score", f"{name},0.75"), sets)
    assert table["path"].tolist() == [path]
    assert table["value"].tolist() == [0.75]
    assert table["score"].tolist() == ["theirs"]


@pytest.mark.parametrize("name", ["DF/1_2", "faked/c23/DF/videos/1_2.mp4", "/x/ff/faked/c23/DF/videos/1_2.mp4"])
def test_a_video_has_many_names_and_no_frame_level(sets: list[Manifest], tmp_path: Path, name: str) -> None:
    lines = ("video;score", f"{name};2.5", "youtube/1.mp4;-1")
    table, notes = read_outside(csv(tmp_path, *lines), sets[1:])
    videos = video_scores(table)
    assert dict(zip(videos["video"], videos["value"], strict=True)) == {"1": -1.0, "DF/1_2": 2.5}
    rows = result_rows(table, {}, resamples=0)
    assert [(r["level"], r["method"], r["n_real"], r["n_fake"], r["auc"]) for r in rows] == [("video", "DF", 1, 1, 1.0)]
    assert notes == ["theirs: 2 of 6 rows have no score in theirs.csv, such as crops/faked/c23/FS/videos/1_2/0.png"]


def test_columns_tell_apart_what_has_one_name(sets: list[Manifest], tmp_path: Path) -> None:
    table, _ = read_outside(csv(tmp_path, "video,method,score", "1_2,FS,3", "1_2,DF,4"), sets[1:])
    assert table.set_index("method")["value"].to_dict() == {"DF": 4.0, "FS": 3.0}
    with pytest.raises(UserError, match=r"line 2: 1_2 is the name of 2 videos, such as b c23 DF/1_2 and b c23 FS/1_2"):
        read_outside(csv(tmp_path, "video,score", "1_2,3"), sets[1:])
    again = Manifest(sets[0].table, Path("data/c"))
    with pytest.raises(UserError, match=r"line 3: ann/1 is the name of 2 crops, .* data/a/crops/ann/1.png and data/c"):
        read_outside(csv(tmp_path, "file,score", "data/c/crops/ann/1.png,3", "ann/1,3"), [sets[0], again])


def test_scores_of_real_faces_are_negated(sets: list[Manifest], tmp_path: Path) -> None:
    path = csv(tmp_path, "path,score", "ann/1,0.9", "bob/2,0.2")
    assert read_outside(path, sets[:1])[0]["value"].tolist() == [0.9, 0.2]
    assert read_outside(path, sets[:1], higher_is_real=True)[0]["value"].tolist() == [-0.9, -0.2]


def test_what_is_not_covered_is_said(sets: list[Manifest], tmp_path: Path) -> None:
    path = csv(tmp_path, "path,score", "ann/1,0.9", "eve/3.png,0.1", "eve/4.png,0.1")
    _, notes = read_outside(path, sets[:1])
    assert notes == [
        "theirs: 1 of 2 rows have no score in theirs.csv, such as crops/bob/2.png",
        "theirs: 2 of 3 lines of theirs.csv belong to no chosen row, such as eve/3.png",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,score", "ann/1,high"], r"theirs\.csv, line 2: the score 'high' is not a finite number"),
        (
            ["path,score", "bob/2,1", 'ann/1,"0,5"'],
            r"line 3: the score '0,5' has a decimal comma: write decimal points",
        ),
        (["path;score", "bob/2;1", "ann/1;-2,5e-3"], "line 3: .* has a decimal comma"),
        (["path,score", "bob/2,1", "ann/1,nan"], r"line 3: the score 'nan' is not a finite number"),
        (["path,score", "bob/2,1", "ann/1,"], r"line 3: the score '' is not a finite number"),
        (["path,score", "ann/1,1", "crops/ann/1.png,1"], "lines 2 and 3: both have a score of data/a/crops/ann/1.png"),
        (["path,score", "eve/3,1"], "none of its 1 lines belongs to a chosen row"),
        (["path,score"], "none of its 0 lines"),
        (["path,logit", "ann/1,1"], r"lacks the column\(s\) score"),
        (["image,score", "ann/1,1"], "has no column path, video, file or name"),
    ],
)
def test_broken_files_are_refused_in_one_line(
    sets: list[Manifest], tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_outside(csv(tmp_path, *lines), sets[:1])
    assert "\n" not in str(error.value)


def test_a_video_and_its_crops_are_refused(sets: list[Manifest], tmp_path: Path) -> None:
    path = csv(tmp_path, "path,score", "DF/1_2,1", f"{CLIP}/0.png,1")
    with pytest.raises(UserError, match="scores the video DF/1_2 and also crops of it"):
        read_outside(path, sets)


def test_a_file_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    check_outside_names([Path("a/x.csv"), Path("a/y.csv")], ["classifier"])
    for paths in ([Path("a/x.csv"), Path("b/x.csv")], [Path("classifier.csv")]):
        with pytest.raises(UserError, match="there is another score named"):
            check_outside_names(paths, ["classifier"])


def test_no_file(sets: list[Manifest], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv does not exist"):
        read_outside(tmp_path / "none.csv", sets)
    with pytest.raises(UserError, match="is a folder: give a CSV file"):
        read_outside(tmp_path, sets)


def test_a_file_that_is_not_in_utf8_says_how_to_mend_it(sets: list[Manifest], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("path,score\nzoé,1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.csv is not a text in UTF-8 .*: save it as CSV in UTF-8"):
        read_outside(tmp_path / "a.csv", sets)


def test_scores_may_be_in_any_order(sets: list[Manifest], tmp_path: Path) -> None:
    first, _ = read_outside(csv(tmp_path, "path,score", "bob/2,1", "ann/1,2"), sets)
    second, _ = read_outside(csv(tmp_path, "path\tscore", "ann/1\t2", "bob/2\t1"), sets)
    pd.testing.assert_frame_equal(first, second)
