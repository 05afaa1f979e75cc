"""DeepSpeak, KoDF and Deepfake-Eval-2024: CSV lists, and files that they name; and DiffSwap's two folders."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.deepfake_eval_2024 import read_deepfake_eval_2024
from difffake.readers.deepspeak import read_deepspeak
from difffake.readers.diffswap import read_diffswap
from difffake.readers.item import Item
from difffake.readers.kodf import read_kodf


def write(file: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding=encoding)
    return file


def deepspeak(root: Path) -> Path:
    """Two people, each with recordings; person 12 has a fake with the face of 87."""
    write(root / "annotations-split-def.csv", "identity,split", "12,train", "87,train", "90,test")
    write(
        root / "annotations-real.csv", "identity,video-file", "12,12-4.mp4", "87,87-0.mp4", "87,87-3.mp4", "90,90-1.mp4"
    )
    header = "video-file,kind,engine,identity-source,identity-target,recording-source,recording-target"
    fakes = ("facefusion-3-4-none.mp4,face-swap,facefusion,87,12,3,4", "memo-1-1-x.mp4,avatar,memo,90,90,7,1")
    write(root / "annotations-fake.csv", header, *fakes)
    return grow(root, *(f"0/{name}.mp4" for name in ("12-4", "87-0", "87-3", "90-1", "facefusion-3-4-none")))


def test_deepspeak_splits_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = read_deepspeak(grow(deepspeak(tmp_path), "1/99-0.mp4"))
    assert [(i.video, i.method, i.split, i.identity, i.target, i.source) for i in items] == [
        ("12-4", "real", "train", "12", "12-4", ""),
        ("87-0", "real", "train", "87", "87-0", ""),
        ("87-3", "real", "train", "87", "87-3", ""),
        ("90-1", "real", "test", "90", "90-1", ""),
        ("facefusion/facefusion-3-4-none", "facefusion", "train", "12", "12-4", "87-3"),
        ("memo/memo-1-1-x", "memo", "test", "90", "90-1", "90-1"),
    ]
    assert items[0].file == tmp_path / "0/12-4.mp4"
    said = capsys.readouterr().err
    assert "1 of 6 listed videos are missing, such as memo-1-1-x.mp4" in said
    assert "1 video that no list names left out, such as 99-0.mp4" in said


def test_deepspeaks_lists_are_checked(tmp_path: Path) -> None:
    root = deepspeak(tmp_path)
    write(root / "annotations-split-def.csv", "identity,split", "12,train")
    with pytest.raises(UserError, match=r"person '87' of 87-0\.mp4 is not in annotations-split-def"):
        read_deepspeak(root)
    write(root / "annotations-split-def.csv", "identity,split", "12,dev")
    with pytest.raises(UserError, match="split 'dev' of person 12"):
        read_deepspeak(root)
    write(root / "annotations-split-def.csv", "person,split", "12,dev")
    with pytest.raises(UserError, match=r"split-def\.csv lacks the column\(s\) identity"):
        read_deepspeak(root)
    with pytest.raises(UserError, match=r"12-4\.mp4 and .* have one name"):
        read_deepspeak(grow(deepspeak(tmp_path / "twice"), "1/12-4.mp4"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_kodf_in_the_encodings_of_its_portal(tmp_path: Path, encoding: str) -> None:
    for name in ("training", "validation"):
        write(
            tmp_path / f"meta/원본영상_{name}_메타데이터.csv", "영상ID,인물성별", f"p1_{name}.mp4,여", encoding=encoding
        )
        fakes = ("영상ID,타겟영상,변조모델", f"p1_p2_{name}.mp4,p1_{name}.mp4,dffs")
        write(tmp_path / f"meta/변조영상_{name}_메타데이터.csv", *fakes, encoding=encoding)
    grow(tmp_path, "원본1/p1/p1_training.mp4", "변조1/p1_p2_training.mp4", "원본1/p1/p1_validation.mp4")
    items = read_kodf(tmp_path)
    assert {(i.video, i.method, i.split, i.identity, i.target) for i in items} == {
        ("p1_training", "real", "train", "p1", "p1_training"),
        ("dffs/p1_p2_training", "dffs", "train", "p1", "p1_training"),
        ("p1_validation", "real", "val", "p1", "p1_validation"),
        ("dffs/p1_p2_validation", "dffs", "val", "p1", "p1_validation"),
    }
    files = {item.video: item.file for item in items}
    assert files["p1_training"] == tmp_path / "원본1/p1/p1_training.mp4"
    assert files["dffs/p1_p2_training"] == tmp_path / "변조1/p1_p2_training.mp4"


def test_what_circulated_in_2024(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows in the form of the published list of videos, comments with commas and quotes among them."""
    write(
        tmp_path / "video-metadata-publish-with-links.csv",
        "Filename,Date,Video Ground Truth,Audio Ground Truth,Public Comments,Finetuning Set",
        'a_1.mp4,2024-11-14,Fake,Unknown,"blurred, and the ""mouth"" jumps",train',
        "-b.mp4,2024-11-13,Real,Fake,,test",
        "c.mp4,2024-11-13,Unknown,Unknown,,test",
    )
    write(
        tmp_path / "image-metadata-publish.csv",
        "Filename,Ground Truth,Finetuning Set",
        "x.jpg,Real,Train",
        "#NAME?,Fake,Test",
        "y.png,Fake,Test",
    )
    items = read_deepfake_eval_2024(grow(tmp_path, "video-data/a_1.mp4", "video-data/-b.mp4", "image-data/x.jpg"))
    assert [(i.name, i.label, i.split, i.video) for i in items] == [
        ("image-data/x", 0, "train", ""),
        ("image-data/y", 1, "test", ""),
        ("video-data/a_1", 1, "train", "video-data/a_1"),
        ("video-data/-b", 0, "test", "video-data/-b"),
    ]
    said = capsys.readouterr().err
    assert "1 row left out: 1 of unknown truth, 0 without name" in said
    assert "1 row left out: 0 of unknown truth, 1 without name" in said
    assert "1 of 2 image missing" not in said
    assert "1 of 2 images missing in" in said
    write(tmp_path / "image-metadata-publish.csv", "Filename,Ground Truth,Finetuning Set", "x.jpg,maybe,Train")
    with pytest.raises(UserError, match=r"x\.jpg: Ground Truth 'maybe'"):
        read_deepfake_eval_2024(tmp_path)


def test_diffswap_is_two_folders_of_stills(tmp_path: Path) -> None:
    grow(tmp_path, "Real/12.jpg", "DiffSwap/a/12.png")
    assert [(i.name, i.label, i.method, i.split) for i in read_diffswap(tmp_path)] == [
        ("Real/12", 0, "real", ""), ("DiffSwap/a/12", 1, "DiffSwap", ""),
    ]  # fmt: skip
    (tmp_path / "DiffSwap/a/12.png").unlink()
    with pytest.raises(UserError, match=r"DiffSwap is missing or has no images: unpack DiffSwap\.tar"):
        read_diffswap(tmp_path)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (read_deepspeak, r"annotations-split-def\.csv is missing"),
        (read_kodf, "no lists such as"),
        (read_deepfake_eval_2024, "no files of image-metadata"),
        (read_diffswap, "Real is missing"),
    ],
)
def test_empty_folders(tmp_path: Path, read: Callable[[Path], list[Item]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path)
