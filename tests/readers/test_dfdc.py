"""The Deepfake Detection Challenge and its preview as published."""

import json
from pathlib import Path
from typing import Any

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.dfdc import read_dfdc
from difffake.readers.dfdc_preview import read_dfdc_preview


def test_parts_of_the_training_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = {"label": "REAL", "split": "train", "original": None}
    for part, (one, two) in {"dfdc_train_part_0": "ab", "train/dfdc_train_part_49": "cd"}.items():
        grow(tmp_path, f"{part}/{one}.mp4", f"{part}/{two}.mp4")
        facts = {f"{one}.mp4": real, f"{two}.mp4": {"label": "FAKE", "split": "train", "original": f"{one}.mp4"}}
        (tmp_path / part / "metadata.json").write_text(json.dumps(facts))
    grow(tmp_path, "dfdc_train_part_0/x.mp4")
    items = read_dfdc(tmp_path)
    assert [(item.video, item.label, item.method, item.target, item.split) for item in items] == [
        ("a", 0, "real", "a", ""), ("b", 1, "DFDC", "a", ""), ("c", 0, "real", "c", ""), ("d", 1, "DFDC", "c", ""),
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "dfdc_train_part_0: 1 video left out that its list does not name (x)" in said
    assert "metadata" not in said
    (tmp_path / "dfdc_train_part_0" / "a.mp4").unlink()
    assert read_dfdc(tmp_path)[0].video == "a"  # counted as lost
    assert "dfdc_train_part_0: 1 of 2 videos are missing, such as a" in capsys.readouterr().err


def test_validation_and_test_set(tmp_path: Path) -> None:
    grow(tmp_path, "validation/a.mp4", "validation/b.mp4", "test/videos/c.mp4", "train/0/frames/d/007.png")
    (tmp_path / "validation" / "labels.csv").write_text("filename,label\na.mp4,0\nb.mp4,1\n")
    (tmp_path / "test" / "metadata.json").write_text(json.dumps({"c.mp4": {"is_fake": 1, "augmentations": []}}))
    (tmp_path / "train" / "0" / "metadata.json").write_text(json.dumps({"d.mp4": {"label": "REAL", "split": "train"}}))
    found = {item.video: item for item in read_dfdc(tmp_path)}
    assert {video: (item.label, item.split, item.target) for video, item in found.items()} == {
        "a": (0, "val", "a"), "b": (1, "val", ""), "c": (1, "test", ""), "d": (0, "train", "d"),
    }  # fmt: skip
    assert [number for number, _ in found["d"].images] == [7]
    assert [item.split for item in read_dfdc(tmp_path / "test")] == ["test"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.csv", "filename,label\na.mp4,real?\n", "the label of a.mp4, 'real"),
        ("labels.csv", "name,label\na.mp4,0\n", r"labels\.csv lacks the column\(s\) filename"),
        ("metadata.json", "{", r"metadata\.json is no whole JSON file"),
        ("metadata.json", '{"a.mp4": {}}', "the label of a.mp4, None"),
        ("metadata.json", '{"a.mp4": 1}', r"metadata\.json is no list of videos and labels"),
    ],
)
def test_broken_lists(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"no metadata\.json and no labels\.csv"):
        read_dfdc(grow(tmp_path, "a.mp4"))
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_dfdc(tmp_path)


def preview(root: Path, **changes: dict[str, Any]) -> Path:
    """Two originals of one person and one of another, a fake of each method; `changes` by the path's last letters."""
    facts = {
        "original_videos/643049/643049_A_001.mp4": {"label": "real", "set": "test"},
        "original_videos/126/126_C_000.mp4": {"label": "real", "set": "train"},
        "original_videos/126/126_C_001.mp4": {"label": "real", "set": "test"},
        "method_A/643049/643049_A/126_643049_A_001.mp4": {"label": "fake", "set": "test", "swapped_id": "126"},
        "method_B/126/126_C/9_126_C_001.mp4": {"label": "fake", "set": "train", "swapped_id": "9"},
    }
    grow(root, *facts)
    for path, fact in facts.items():
        fact |= next((change for end, change in changes.items() if path.endswith(f"{end}.mp4")), {})
    (root / "dataset.json").write_text(json.dumps(facts))
    return root


def test_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = read_dfdc_preview(preview(tmp_path))
    assert [(item.video, item.label, item.identity, item.target, item.source, item.split) for item in items] == [
        ("643049_A_001", 0, "643049", "643049_A_001", "", "test"),
        ("126_C_000", 0, "126", "126_C_000", "", "train"),
        ("126_C_001", 0, "126", "126_C_001", "", "test"),
        ("method_A/126_643049_A_001", 1, "643049", "643049_A_001", "126_C_001", "test"),
        ("method_B/9_126_C_001", 1, "126", "126_C_001", "9", "train"),
    ]
    assert {item.method for item in items} == {"real", "method_A", "method_B"}
    assert capsys.readouterr().err == ""


def test_preview_as_frames_and_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview(tmp_path)
    (tmp_path / "method_A/643049/643049_A/126_643049_A_001.mp4").unlink()
    grow(tmp_path, "method_A/frames/126_643049_A_001/003.png")
    (tmp_path / "method_B/126/126_C/9_126_C_001.mp4").rename(tmp_path / "method_B/8_126_C_001.mp4")
    *_, framed, lost = read_dfdc_preview(tmp_path)
    assert framed.images[0][0] == 3
    assert lost.video == "method_B/9_126_C_001"
    assert "dataset.json: 1 of 5 videos are missing, such as method_B/126" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"643049_A_001": {"label": "fake"}}, r"643049_A_001\.mp4, 'fake', contradicts its folder"),
        ({"9_126_C_001": {"label": "real"}}, r"9_126_C_001\.mp4, 'real', contradicts its folder"),
        ({"126_C_000": {"set": "all"}}, r"the set of .*126_C_000\.mp4, 'all', is none of"),
    ],
)
def test_preview_contradictions(tmp_path: Path, changes: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_dfdc_preview(preview(tmp_path, **changes))


def test_preview_without_its_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.json is missing"):
        read_dfdc_preview(tmp_path)
    (tmp_path / "dataset.json").write_text('["a"]')
    with pytest.raises(UserError, match=r"dataset\.json is not the list"):
        read_dfdc_preview(tmp_path)
