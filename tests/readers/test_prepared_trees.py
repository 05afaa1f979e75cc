"""Data sets that lie as real frames and clips, through `difffake prepare`."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from difffake.commands.prepare import prepare
from difffake.data.manifest import Manifest
from difffake.faces.images import write_png
from difffake.faces.video import read_clip


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> list[dict[int, np.ndarray]]:
    """A few frames of two real clips, by their numbers."""
    clips = sorted((shared_data / "clips").glob("grid_*.mpg"))[:2]
    return [{frame.number: frame.image for frame in read_clip(clip, 3).frames} for clip in clips]


def test_deepfakebench(frames: list[dict[int, np.ndarray]], landmarker: Path, tmp_path: Path) -> None:
    """Its crops keep the numbers that their files have, and a fake's frames meet those of its target."""
    one, two = frames
    folders = {"000": one, "003": two, "000_003": one}
    listed: dict[str, Any] = {}
    for video, images in folders.items():
        where = "original_sequences/youtube" if len(video) == 3 else "manipulated_sequences/Deepfakes"
        label = "FF-real" if len(video) == 3 else "FF-DF"
        names = [f"FaceForensics++/{where}/c23/frames/{video}/{number:03d}.png" for number in images]
        for name, image in zip(names, images.values(), strict=True):
            (tmp_path / "rgb" / name).parent.mkdir(parents=True, exist_ok=True)
            write_png(tmp_path / "rgb" / name, image)
        entry = {"label": label, "frames": [name.replace("/", "\\") for name in names]}
        listed.setdefault(label, {}).setdefault("test", {}).setdefault("c23", {})[video] = entry
    (tmp_path / "FF-DF.json").write_text(json.dumps({"FF-DF": listed}))
    prepare("deepfakebench", tmp_path / "FF-DF.json", tmp_path / "out", landmarker=landmarker, workers=1)
    table = Manifest.read(tmp_path / "out").table
    assert table["dataset"].unique().tolist() == ["FF-DF"]
    by_video = table.groupby("video")["frame"].agg(sorted).to_dict()
    assert by_video == {"000": sorted(one), "003": sorted(two), "Deepfakes/000_003": sorted(one)}
    fake = table[table["label"] == 1].iloc[0]
    assert (fake["target"], fake["source"], fake["compression"], fake["split"]) == ("000", "003", "c23", "test")


def test_wilddeepfake(frames: list[dict[int, np.ndarray]], landmarker: Path, tmp_path: Path) -> None:
    for (kind, split), images in zip((("real", "train"), ("fake", "test")), frames, strict=True):
        folder = tmp_path / f"wild/{kind}_{split}/0/{kind}/7"
        folder.mkdir(parents=True)
        for number, image in images.items():
            write_png(folder / f"{number}.png", image)
    prepare("wilddeepfake", tmp_path / "wild", tmp_path / "out", landmarker=landmarker, workers=1)
    table = Manifest.read(tmp_path / "out").table
    assert set(zip(table["video"], table["label"], table["split"], strict=True)) == {
        ("real_train/0/real/7", 0, "train"), ("fake_test/0/fake/7", 1, "test"),
    }  # fmt: skip
    assert sorted(table["frame"]) == sorted(number for images in frames for number in images)


def test_uadfv(shared_data: Path, landmarker: Path, tmp_path: Path) -> None:
    one, two = sorted((shared_data / "clips").glob("grid_*.mpg"))[:2]
    for name, clip in (("real/0000", one), ("fake/0000_fake", one), ("real/0001", two), ("fake/0001_fake", two)):
        (tmp_path / "uadfv" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, tmp_path / "uadfv" / f"{name}.mpg")
    (tmp_path / "uadfv/fake/0001_fake.mpg").write_bytes(two.read_bytes()[:200])
    prepare("uadfv", tmp_path / "uadfv", tmp_path / "out", frames=2, split=(0, 0, 1), landmarker=landmarker, workers=1)
    table = Manifest.read(tmp_path / "out").table
    assert sorted(set(table["video"])) == ["0000", "0000_fake", "0001"]
    assert set(table.loc[table["label"] == 1, "target"]) == {"0000"}
    assert "0001_fake.mpg" in (tmp_path / "out" / "skipped.csv").read_text()
