"""FaceForensics++ and DeepFakeDetection as their download lays them out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from trees import grow

from difffake.commands.prepare import prepare
from difffake.data.keys import check_splits, leak_keys
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.readers.dfd import read_dfd
from difffake.readers.ffpp import missing_ffpp, read_ffpp
from difffake.readers.item import Item

YOUTUBE, ACTORS = "original_sequences/youtube", "original_sequences/actors"
FAKES = "manipulated_sequences"


def split_files(folder: Path, **pairs: list[list[str]]) -> None:
    """The three lists of pairs of videos."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "val", "test"):
        (folder / f"{split}.json").write_text(json.dumps(pairs.get(split, [])))


def test_a_fake_is_named_after_target_and_source(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        f"{YOUTUBE}/c23/videos/000.mp4",
        f"{YOUTUBE}/c23/images/000/0000.png",
        f"{FAKES}/NeuralTextures/c40/videos/000_003.mp4",
        f"{FAKES}/NeuralTextures/masks/videos/000_003.mp4",
        f"{FAKES}/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK.mp4",
    )
    real, fake = read_ffpp(root)
    name = f"{YOUTUBE}/c23/videos/000"
    assert real == Item(
        root / f"{name}.mp4", name, video="000", identity="000", target="000", compression="c23"
    )  # label 0, method real, no source: it is its own target
    name = f"{FAKES}/NeuralTextures/c40/videos/000_003"
    assert fake == Item(
        root / f"{name}.mp4", name, 1, "NeuralTextures", video="NeuralTextures/000_003", identity="000",
        target="000", source="003", compression="c40",
    )  # fmt: skip


def test_all_five_methods_and_compressions_are_rows_of_their_own(tmp_path: Path) -> None:
    methods = ("Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
    places = [f"{FAKES}/{method}/{quality}/videos/000_003.mp4" for method in methods for quality in ("c0", "c23")]
    items = read_ffpp(grow(tmp_path, *places))
    assert len({item.name for item in items}) == 10
    assert {(item.video, item.compression) for item in items} == {
        (f"{method}/000_003", compression) for method in methods for compression in ("raw", "c23")
    }


def test_one_video_as_raw_and_c0_is_refused(tmp_path: Path) -> None:
    grow(tmp_path, f"{YOUTUBE}/raw/videos/000.mp4", f"{YOUTUBE}/c0/videos/000.mp4")
    with pytest.raises(UserError, match="the same video in the same compression"):
        read_ffpp(tmp_path)


@pytest.mark.parametrize("folder", [".", "splits"])
def test_official_splits_are_taken(tmp_path: Path, folder: str) -> None:
    names = ("000_003", "003_000", "071_054", "720_672")
    grow(tmp_path, *(f"{FAKES}/Face2Face/c23/videos/{name}.mp4" for name in names), f"{YOUTUBE}/c40/videos/054.mp4")
    split_files(tmp_path / folder, train=[["071", "054"]], val=[["720", "672"]], test=[["003", "000"]])
    assert {item.file.stem: item.split for item in read_ffpp(tmp_path)} == {
        "000_003": "test", "003_000": "test", "071_054": "train", "720_672": "val", "054": "train",
    }  # fmt: skip


def test_frames_of_a_video_keep_their_numbers(tmp_path: Path) -> None:
    """The layouts of DeepfakeBench, of the data set's own extraction script, and of DiffusionFake."""
    root = grow(
        tmp_path,
        f"{YOUTUBE}/c23/frames/000/0004.png",
        f"{YOUTUBE}/c23/frames/000/0010.png",
        f"{FAKES}/Deepfakes/c23/frames/000_003/004.png",
        f"{FAKES}/Deepfakes/c23/masks/000_003/004.png",
        f"{FAKES}/FaceSwap/c40/images/000_003/0012.png",
        f"{FAKES}/NeuralTextures/raw/000_003/000_003_0007.png",
        f"{FAKES}/NeuralTextures/raw/masks/000_003/000_003_0007.png",
    )
    split_files(tmp_path, test=[["000", "003"]])
    items = read_ffpp(root)
    assert [(item.video, item.compression, item.split, [n for n, _ in item.images]) for item in items] == [
        ("000", "c23", "test", [4, 10]),
        ("Deepfakes/000_003", "c23", "test", [4]),
        ("FaceSwap/000_003", "c40", "test", [12]),
        ("NeuralTextures/000_003", "raw", "test", [7]),
    ]
    folder = f"{FAKES}/Deepfakes/c23/frames/000_003"
    assert (items[1].file, items[1].name, items[1].images) == (
        root / folder, folder, ((4, root / folder / "004.png"),),
    )  # fmt: skip
    assert all(item.is_video for item in items)


def test_videos_come_before_their_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grow(tmp_path, f"{YOUTUBE}/c23/videos/000.mp4", f"{YOUTUBE}/c23/frames/000/0004.png") / YOUTUBE / "c23"
    assert [item.images for item in read_ffpp(tmp_path)] == [()]
    assert f"{folder}: frames left out, as videos is read" in capsys.readouterr().err
    (folder / "videos" / "000.mp4").unlink()
    assert [len(item.images) for item in read_ffpp(tmp_path)] == [1]


def test_what_is_missing_of_the_official_lists_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path, f"{YOUTUBE}/c23/videos/000.mp4", f"{FAKES}/Deepfakes/c40/videos/003_000.mp4")
    assert len(read_ffpp(tmp_path)) == 2
    assert "no train.json, val.json and test.json: --split" in capsys.readouterr().err
    split_files(tmp_path, test=[["000", "003"]], val=[["720", "672"]])
    items = read_ffpp(tmp_path)
    grow(tmp_path, f"{FAKES}/FaceSwap/c23/videos/000_003.mp4")
    counts = "missing: real c23 {} of {} (such as 003), Deepfakes c40 {} of {} (such as 000_003)"
    assert missing_ffpp(tmp_path, items).endswith(counts.format(1, 2, 1, 2))  # nothing of val is chosen, nor FaceSwap
    split_files(tmp_path, test=[["000", "003"], ["720", "672"]])
    assert missing_ffpp(tmp_path, items).endswith(counts.format(3, 4, 3, 4))
    split_files(tmp_path, test=[])
    assert missing_ffpp(tmp_path, items) == ""


@pytest.mark.parametrize("name", ["000.mp4.part", "000.mp4.aria2"])
def test_half_downloads_are_refused(tmp_path: Path, name: str) -> None:
    place = f"{FAKES}/FaceShifter/c23/videos"
    grow(tmp_path, f"{YOUTUBE}/c23/videos/000.mp4", f"{place}/{name}")
    with pytest.raises(UserError, match=rf"{name} is an unfinished download"):
        read_ffpp(tmp_path)
    (tmp_path / place / name).unlink()
    with pytest.raises(UserError, match=r"FaceShifter/c23/videos has no videos and no frames: finish its download"):
        read_ffpp(tmp_path)


def test_broken_splits_are_explained(tmp_path: Path) -> None:
    grow(tmp_path, f"{YOUTUBE}/c23/videos/000.mp4")
    split_files(tmp_path, train=[["001", "870"]])
    with pytest.raises(UserError, match=r"000\.mp4: its target 000 is not in any of"):
        read_ffpp(tmp_path)
    (tmp_path / "val.json").write_text("[7]")
    with pytest.raises(UserError, match=r"val\.json is no list of pairs"):
        read_ffpp(tmp_path)
    (tmp_path / "val.json").unlink()
    with pytest.raises(UserError, match=r"val\.json is missing"):
        read_ffpp(tmp_path)


def test_actors_are_people_and_scenes_are_videos(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        f"{ACTORS}/c23/videos/01__exit_phone_room.mp4",
        f"{ACTORS}/c23/videos/02__exit_phone_room.mp4",
        f"{ACTORS}/c23/videos/02__talking.mp4",
        f"{FAKES}/DeepFakeDetection/c23/videos/01_02__exit_phone_room__YVGY8LOK.mp4",
        f"{FAKES}/DeepFakeDetection/c23/videos/01_02__kitchen_pan__00T3UYOR.mp4",
        f"{YOUTUBE}/c23/videos/000.mp4",
    )
    items = read_dfd(root)
    assert [(item.label, item.method, item.video, item.identity, item.target, item.source) for item in items] == [
        (0, "real", "01__exit_phone_room", "01", "01__exit_phone_room", ""),
        (0, "real", "02__exit_phone_room", "02", "02__exit_phone_room", ""),
        (0, "real", "02__talking", "02", "02__talking", ""),
        (1, "DeepFakeDetection", "DeepFakeDetection/01_02__exit_phone_room__YVGY8LOK", "01", "01__exit_phone_room",
         "02__exit_phone_room"),
        # Actor 02 did not play kitchen_pan: another video of that actor, so that it is known whose face it is.
        (1, "DeepFakeDetection", "DeepFakeDetection/01_02__kitchen_pan__00T3UYOR", "01", "01__kitchen_pan",
         "02__exit_phone_room"),
    ]  # fmt: skip


def test_a_face_of_nobody_known_is_refused(tmp_path: Path) -> None:
    name = "01_02__talking__YVGY8LOK.mp4"
    grow(tmp_path, f"{ACTORS}/c23/videos/01__talking.mp4", f"{FAKES}/DeepFakeDetection/c23/videos/{name}")
    with pytest.raises(UserError, match=f"{name}: its actor 02 has no video"):
        read_dfd(tmp_path)


@pytest.mark.parametrize(
    ("reader", "file"),
    [
        (read_ffpp, f"{YOUTUBE}/c23/videos/0.mp4"),
        (read_ffpp, f"{FAKES}/FaceSwap/raw/videos/000.mp4"),
        (read_dfd, f"{ACTORS}/c23/videos/01_02__talking.mp4"),
        (read_dfd, f"{FAKES}/DeepFakeDetection/c40/videos/01_02__talking.mp4"),
    ],
)
def test_what_is_not_there_and_what_is_named_otherwise(
    tmp_path: Path, reader: Callable[[Path], list[Item]], file: str
) -> None:
    with pytest.raises(UserError, match="no videos such as"):
        reader(tmp_path)
    with pytest.raises(UserError, match=rf"{Path(file).name}: its name is not like \w+\.mp4: rename"):
        reader(grow(tmp_path, file))


def test_prepared_splits_keep_targets_and_sources_together(shared_data: Path, landmarker: Path, tmp_path: Path) -> None:
    root = tmp_path / "ffpp"
    ids = {"000": "003", "003": "000", "001": "870", "870": "001"}
    names = [f"{YOUTUBE}/{quality}/videos/{video}.mpg" for quality in ("c23", "c40") for video in ids]
    names += [f"{FAKES}/Deepfakes/c23/videos/{target}_{source}.mpg" for target, source in ids.items()]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared_data / "clips" / "grid_bbaf2n.mpg", root / name)
    prepare("ffpp", root, tmp_path / "out", frames=1, split=(0.5, 0, 0.5), landmarker=landmarker, workers=1)
    table = Manifest.read(tmp_path / "out").table
    assert len(table) == 12
    together = {"/".join(sorted(set(rows["target"]))) for _, rows in table.groupby("split")}
    assert together == {"000/003", "001/870"}
    check_splits(table)
    fake = table[table["video"] == "Deepfakes/000_003"]
    assert {"identity ffpp/000", "identity ffpp/003"} <= leak_keys(fake, table)
