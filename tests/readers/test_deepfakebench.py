"""DeepfakeBench's lists and the frames beside them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from trees import grow

from difffake.data.splits import choose_splits
from difffake.errors import UserError
from difffake.readers.deepfakebench import read_deepfakebench
from difffake.readers.item import Item

FFPP = "FaceForensics++"


def listing(path: Path, labels: dict[str, dict[str, dict[str, Any]]], name: str = "") -> Path:
    """A list as rearrange.py writes it; videos are given as {video or compression: {video: frames}} of each split."""

    def entry(label: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: entry(label, inner) for key, inner in value.items()}
        return {"label": label, "frames": value, "masks": []} if isinstance(value, list) else value

    content = {label: {s: entry(label, videos) for s, videos in splits.items()} for label, splits in labels.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name or path.stem: content}))
    return path


def frames(folder: str, *numbers: int) -> list[str]:
    """Paths of frames, as the lists have them."""
    return [f"{folder}/{number:03d}.png" for number in numbers]


def ffpp(method: str, video: str) -> str:
    """Folder of a video in c23."""
    where = "original_sequences/youtube" if method == "real" else f"manipulated_sequences/{method}"
    return f"{FFPP}/{where}/c23/frames/{video}"


def brief(items: list[Item]) -> set[tuple[str, str, str, str, str]]:
    """What is asked of most items."""
    return {(item.video, item.method, item.split, item.target, item.source) for item in items}


def test_ffpp_lists_share_their_real_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists in preprocessing/dataset_json with backslashes, images in datasets/rgb, as in a clone of DeepfakeBench."""
    real = {"test": {"c23": {"003": [p.replace("/", "\\") for p in frames(ffpp("real", "003"), 0, 12)]}, "c40": {}}}
    for label, method in (("FF-DF", "Deepfakes"), ("FF-NT", "NeuralTextures")):
        video = frames(ffpp(method, "003_000"), 120, 7)
        fake = {"test": {"c23": {"003_000": [p.replace("/", "\\") for p in video]}}, "val": {}, "train": {"raw": {}}}
        listing(tmp_path / f"preprocessing/dataset_json/{label}.json", {"FF-real": real, label: fake})
        grow(tmp_path / "datasets/rgb", *video)
    grow(tmp_path / "datasets/rgb", *frames(ffpp("real", "003"), 0, 12))
    items = read_deepfakebench(tmp_path)
    assert brief(items) == {
        ("003", "real", "test", "003", ""),
        ("Deepfakes/003_000", "Deepfakes", "test", "003", "000"),
        ("NeuralTextures/003_000", "NeuralTextures", "test", "003", "000"),
    }
    fake = next(item for item in items if item.method == "Deepfakes")
    folder = tmp_path / "datasets/rgb" / ffpp("Deepfakes", "003_000")
    assert fake.images == ((7, folder / "007.png"), (120, folder / "120.png"))
    assert (fake.file, fake.compression, fake.identity, fake.dataset) == (folder, "c23", "003", "")
    assert fake.name == ffpp("Deepfakes", "003_000")
    assert capsys.readouterr().err == ""


def test_test_videos_in_celeb_dfs_training_list_are_tested_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    celeb = "Celeb-DF-v2"
    reals = {name: frames(f"{celeb}/Celeb-real/frames/{name}", 0) for name in ("id0_0000", "id1_0001", "id1_0003")}
    fakes = {name: frames(f"{celeb}/Celeb-synthesis/frames/{name}", 0) for name in ("id0_id1_0000", "id2_id1_0001")}
    tested, tested_fake = {"id1_0003": reals["id1_0003"]}, {"id0_id1_0000": fakes["id0_id1_0000"]}
    path = listing(
        tmp_path / f"{celeb}.json",
        {
            "CelebDFv2_real": {"train": reals, "val": tested, "test": tested},
            "CelebDFv2_fake": {"train": fakes, "val": tested_fake, "test": tested_fake},
        },
    )
    grow(tmp_path, *(frame for paths in (*reals.values(), *fakes.values()) for frame in paths))
    items = read_deepfakebench(path)
    assert brief(items) == {
        ("id0_0000", "real", "train", "id0_0000", ""),
        ("id1_0001", "real", "train", "id1_0001", ""),
        ("id1_0003", "real", "test", "id1_0003", ""),
        ("Celeb-synthesis/id0_id1_0000", "Celeb-synthesis", "test", "id0_0000", "id1_0003"),
        ("Celeb-synthesis/id2_id1_0001", "Celeb-synthesis", "train", "id2_0001", "id1_0001"),
    }
    assert [item.identity for item in items] == ["id0", "id1", "id1", "id0", "id2"]
    assert f"{celeb}: 2 videos in train and val and test at once: kept in test only" in capsys.readouterr().err


def uadfv(root: Path, number: int) -> Path:
    """UADFV's list, the same in all splits as the published one, and its frames."""
    reals = {f"{n:04d}": frames(f"UADFV/real/frames/{n:04d}", 0, 9) for n in range(number)}
    fakes = {f"{n:04d}_fake": frames(f"UADFV/fake/frames/{n:04d}_fake", 0, 9) for n in range(number)}
    splits = ("train", "val", "test")
    labels = {"UADFV_Real": dict.fromkeys(splits, reals), "UADFV_Fake": dict.fromkeys(splits, fakes)}
    grow(root / "rgb", *(frame for paths in (*reals.values(), *fakes.values()) for frame in paths))
    return listing(root / "UADFV.json", labels)


def test_lists_that_split_nothing_are_split_by_prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uadfv(tmp_path, 49)
    items = read_deepfakebench(tmp_path)
    assert [sum(item.label == label for item in items) for label in (0, 1)] == [49, 49]
    assert {item.split for item in items} == {""}
    assert "UADFV: all 98 videos are in train, val and test: the list splits nothing" in capsys.readouterr().err
    splits = choose_splits(items, "UADFV", (0.5, 0, 0.5), None, 0)
    together = {(item.target, split) for item, split in zip(items, splits, strict=True)}
    assert len(together) == 49
    assert {split for _, split in together} == {"train", "test"}


def test_several_data_sets_keep_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where others have splits, one without is tested: rows with and without a split do not mix."""
    uadfv(tmp_path, 1)
    video = frames("DFDC/test/frames/abc", 3)
    listing(
        tmp_path / "DFDC.json", {"DFDC_Fake": {"test": {"abc": video}, "val": {"label": "DFDC_Fake", "frames": video}}}
    )
    grow(tmp_path / "rgb", *video)
    items = read_deepfakebench(tmp_path)
    assert {(item.dataset, item.video, item.split) for item in items} == {
        ("DFDC", "DFDC/abc", "test"), ("UADFV", "0000", "test"), ("UADFV", "UADFV/0000_fake", "test"),
    }  # fmt: skip
    said = capsys.readouterr().err
    assert "DFDC.json: 1 video without a name left out" in said
    assert "UADFV: 2 videos in train and val and test at once: kept in test only" in said


def test_paths_of_another_machine_and_df40s_lists(tmp_path: Path) -> None:
    """DF40's lists call most fakes roop_Fake; what they are is in the list's name. Generated images are stills."""
    for name, folder in (("simswap_ff", "simswap/ff/frames/000_003"), ("stylegan2_ff", "StyleGAN2/ff/001")):
        stems = ("000", "031") if name == "simswap_ff" else ("seed0188", "seed0031")
        fakes = [f"datasets_of_mine/DF40/{folder}/{stem}.png" for stem in stems]
        listing(tmp_path / f"{name}.json", {"roop_Fake": {"test": {folder[-7:]: fakes}, "train": {}}})
        grow(tmp_path / "rgb", *(fake.removeprefix("datasets_of_mine/") for fake in fakes))
    swap, *stills = read_deepfakebench(tmp_path)
    assert (swap.video, swap.method, swap.target, swap.source) == ("simswap/000_003", "simswap", "000", "003")
    assert [number for number, _ in swap.images] == [0, 31]
    assert [(still.method, still.video, still.images) for still in stills] == [("stylegan2", "", ())] * 2
    assert {item.dataset for item in (swap, *stills)} == {""}  # all of DF40
    celeb = ["DF40/simswap/cdf/frames/id0_id1_0000/000.png"]
    listing(tmp_path / "simswap_cdf.json", {"roop_Fake": {"test": {"id0_id1_0000": celeb}, "train": {}}})
    grow(tmp_path / "rgb", *celeb)
    found = {item.video: item.dataset for item in read_deepfakebench(tmp_path) if item.video}
    assert found == {"simswap/000_003": "DF40", "simswap/id0_id1_0000": "DF40-Celeb-DF"}


def test_a_compression_that_was_not_downloaded_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    c23 = frames(ffpp("real", "000"), 0)
    videos = {"c23": {"000": c23}, "c40": {"000": [name.replace("c23", "c40") for name in c23]}}
    path = listing(tmp_path / "FF-DF.json", {"FF-real": {"train": videos}})
    (item,) = read_deepfakebench(grow(tmp_path, *c23))
    assert item.compression == "c23"
    assert f"{tmp_path}: {FFPP} c40: left out, as none of its 1 video is there" in capsys.readouterr().err
    assert read_deepfakebench(path) == [item]


def test_dfd_names_actors_and_scenes(tmp_path: Path) -> None:
    real = {
        f"0{n}__kitchen_pan": frames(f"{FFPP}/original_sequences/actors/c40/frames/0{n}__kitchen_pan", 0)
        for n in (1, 2)
    }
    name = "01_02__talking__YVGY8LOK"
    fake = {name: frames(f"{FFPP}/manipulated_sequences/DeepFakeDetection/c40/frames/{name}", 0)}
    path = listing(
        tmp_path / "DeepFakeDetection.json", {"DFD_real": {"train": {"c40": real}}, "DFD_fake": {"test": {"c40": fake}}}
    )
    grow(tmp_path, *(frame for paths in (*real.values(), *fake.values()) for frame in paths))
    *_, item = read_deepfakebench(path)
    assert (item.method, item.compression, item.identity) == ("DeepFakeDetection", "c40", "01")
    assert (item.target, item.source) == ("01__talking", "02__kitchen_pan")


def test_what_is_not_downloaded_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = uadfv(tmp_path, 2)
    gone = tmp_path / "rgb/UADFV/real/frames"
    shutil.rmtree(gone / "0000")
    (gone / "0001/009.png").unlink()
    items = read_deepfakebench(path)
    assert [(item.video, [n for n, _ in item.images], item.file.exists()) for item in items] == [
        ("0000", [0, 9], False),  # stays, so that it is counted as lost
        ("0001", [0], True),
        ("UADFV/0000_fake", [0, 9], True),
        ("UADFV/0001_fake", [0, 9], True),
    ]
    said = capsys.readouterr().err
    assert f"1 of 4 listed videos not there, such as {gone}/0000/000.png" in said
    assert "1 listed frame of other videos not there" in said
    with pytest.raises(UserError, match=r"UADFV\.json names no videos"):
        read_deepfakebench(uadfv(tmp_path / "empty", 0).parent)
    elsewhere = uadfv(tmp_path / "else", 1).parent
    (elsewhere / "rgb").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="none of the listed videos is there"):
        read_deepfakebench(elsewhere)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no whole JSON file"),
        ('[["000", "003"]]', "no list of DeepfakeBench"),
        ('{"X": {"X_Real": {"train": {"v": {"label": "X_Real", "frames": []}}}}}', "X_Real, train, v: no frames"),
        ('{"X": {"X_Real": {"dev": {"v": {"frames": ["a/b/0.png"]}}}}}', "split or compression"),
        ('{"X": {"X_Real": {"test": {"c99": {"v": {"frames": ["a/b/0.png"]}}}}}}', "split or compression c99"),
        ('{"X": {"swapped": {"train": {"v": {"frames": ["a/b/0.png"]}}}}}', "label swapped is neither real nor fake"),
        (
            '{"X": {"real": {"train": {"v": {"frames": ["a/0"]}}}, "fake": {"val": {"v": {"frames": ["a/0"]}}}}}',
            "v is real and fake",
        ),
    ],
)
def test_faults_of_a_list_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "X.json").write_text(content)
    with pytest.raises(UserError, match=rf"X\.json.*({message})"):
        read_deepfakebench(tmp_path)
    with pytest.raises(UserError, match="no lists such as"):
        read_deepfakebench(grow(tmp_path / "empty", "readme.md"))
