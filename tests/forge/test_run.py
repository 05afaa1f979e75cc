"""`difffake forge` on drawn people: what it writes, that it resumes, and what it refuses."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from difffake.commands.forge import forge
from difffake.commands.main import main
from difffake.data.drawn import DRAWN_A, write_drawn_faces
from difffake.data.keys import check_splits, leak_keys
from difffake.data.manifest import Manifest
from difffake.data.records import read_records
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.forge.inputs import real_faces
from difffake.forge.methods import METHODS

CLIPS = replace(DRAWN_A, identities=(3, 0, 2), videos=1, frames=4)
STILLS = replace(DRAWN_A, identities=(4, 0, 2), videos=1, frames=3)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_faces(tmp_path_factory.mktemp("clips"), CLIPS).parent


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Single pictures of six people, as the reader `folder` gives them."""
    folder = tmp_path_factory.mktemp("stills")
    table = pd.read_parquet(write_drawn_faces(folder, STILLS))
    table["video"], table["frame"] = "", 0
    Manifest(table, folder).write(folder / "manifest.parquet")
    return folder


@pytest.fixture(scope="module")
def forged(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    out = tmp_path_factory.mktemp("out") / "forged"
    forge(clips, ["faceswap", "reenact"], out, compression=("c23", "c40"), size=96, workers=1)
    return Manifest.read(out)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_clip_is_there_once_real_and_forged_in_every_compression(forged: Manifest) -> None:
    table = forged.table
    assert table.groupby(["compression", "method"])["path"].count().unique().tolist() == [20]
    assert set(table["method"]) == {"real", "faceswap", "reenact"}
    assert set(table["dataset"]) == {"forged-drawn-a"}  # the name says what it is
    assert forged.margin == 1.3  # of the drawn faces
    assert not table.duplicated(["compression", "video", "frame"]).any()
    for row in range(0, len(table), 7):
        assert read_image(forged.file(row)).shape == (96, 96, 3)
        points = forged.landmarks(row)
        assert points is not None
        assert 0 < points.min() < points.max() < 96


def test_sources_are_other_people_of_the_same_split_and_the_leak_check_knows_them(forged: Manifest) -> None:
    table = forged.table
    check_splits(table)
    person = {name: name[:3] for name in table["target"]}
    fakes = table[table["label"] == 1]
    assert (fakes["identity"] == fakes["target"].map(person)).all()
    assert (fakes["source"].map(person) != fakes["identity"]).all()
    split_of = dict(zip(table["identity"], table["split"], strict=True))
    assert (fakes["source"].map(person).map(split_of) == fakes["split"]).all()
    # Somebody whose face was put into a training clip has been seen in training, by any of the clips.
    keys = leak_keys(fakes.head(4), table)
    assert f"identity drawn-a/{person[fakes['source'].iloc[0]]}" in keys


def test_a_source_of_another_split_is_a_leak(forged: Manifest) -> None:
    table = forged.table.copy()
    test_clip = table["target"][table["split"] == "test"].iloc[0]
    table.loc[table.index[(table["split"] == "train") & (table["label"] == 1)][0], "source"] = test_clip
    with pytest.raises(UserError, match="identity drawn-a/003"):
        check_splits(table)


def test_training_on_the_originals_and_testing_on_the_forgeries_is_a_leak(forged: Manifest, clips: Path) -> None:
    real = Manifest.read(clips).table
    assert leak_keys(real[real["split"] == "train"]) & leak_keys(forged.table[forged.table["split"] == "train"])
    assert not leak_keys(real[real["split"] == "train"]) & leak_keys(forged.table[forged.table["split"] == "test"])


def test_records_name_target_source_mask_and_parameters(forged: Manifest) -> None:
    records = read_records(forged.root)
    assert records is not None
    fakes = forged.table[forged.table["label"] == 1].set_index("path")
    assert sorted(records["path"]) == sorted(fakes.index)
    real = forged.table[forged.table["label"] == 0].set_index("path")
    for record in records.to_dict("records"):
        row = fakes.loc[record["path"]]
        assert real.loc[record["target_path"], "target"] == row["target"]
        assert real.loc[record["target_path"], "frame"] == row["frame"]
        assert real.loc[record["source_path"], "target"] == row["source"]
        assert real.loc[record["source_path"], "compression"] == row["compression"] == record["compression"]
        assert json.loads(record["parameters"])
    record = records[records["method"] == "faceswap"].iloc[0]
    mask = cv2.imread(str(forged.root / record["mask_path"]), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (96, 96)
    target, fake = (read_image(forged.root / record[name]).astype(int) for name in ("target_path", "path"))
    change = np.abs(fake - target).mean(axis=2)
    assert change[mask == 255].mean() > 3 * change[mask == 0].mean()


def test_a_clip_has_one_setting(forged: Manifest) -> None:
    records = read_records(forged.root)
    assert records is not None
    clip = records["path"].str.rsplit("/", n=1).str[0]
    assert (records["parameters"].groupby(clip).nunique() == 1).all()
    assert records["parameters"].nunique() > 2


def test_the_folder_says_that_it_is_a_testbed(forged: Manifest) -> None:
    assert "not a public benchmark" in (forged.root / "README.md").read_text()
    left = {path.name for path in forged.root.iterdir()}
    assert left == {".difffake", "README.md", "crops", "forgeries.parquet", "manifest.parquet", "masks", "skipped.csv"}


def test_the_same_seed_writes_the_same_bytes_on_any_number_of_workers(stills: Path, tmp_path: Path) -> None:
    for name, workers, seed in (("one", 1, 0), ("two", 2, 0), ("other", 1, 1)):
        forge(stills, ["alpha_swap"], tmp_path / name, size=64, workers=workers, seed=seed)
    one, two, other = (content(tmp_path / name) for name in ("one", "two", "other"))
    assert len(one) == 18 * 3 + 5
    assert one == two
    assert one != other


# In the split test of the clips, two people have one clip each, so that there is no second source.
@pytest.mark.parametrize(("kind", "number", "sources"), [("clips", 12, {1, 2}), ("stills", 18, {2})])
def test_copies_are_more_forgeries_of_the_same_faces(
    kind: str, number: int, sources: set[int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    real = request.getfixturevalue(kind)
    found = {}
    for copies in (1, 2):
        out = tmp_path / str(copies)
        forge(real, ["alpha_swap"], out, size=64, workers=1, copies=copies)
        found[copies] = Manifest.read(out)
    once, twice = found[1].table, found[2].table
    pd.testing.assert_frame_equal(once, twice.head(len(once)))
    more = twice.iloc[len(once) :]
    assert (more["label"] == 1).all()
    assert more["path"].str.startswith("crops-2/").all()
    records = read_records(found[2].root)
    assert records is not None
    assert sorted(records["path"]) == sorted(twice.loc[twice["label"] == 1, "path"])
    both = records.groupby("target_path")
    assert len(more) == number
    assert both["mask_path"].nunique().tolist() == both.size().tolist()
    assert both["parameters"].nunique().tolist() == both.size().tolist()
    assert set(twice[twice["label"] == 1].groupby(["target", "frame"])["source"].nunique()) == sources
    if kind == "clips":
        assert more["video"].str.startswith("alpha_swap-2/").all()


def _forge(clips: Path, out: Path) -> None:
    os.setpgid(0, 0)
    forge(clips, ["faceswap"], out, size=96, workers=1)


def test_killed_and_started_again_it_ends_with_the_same_bytes(clips: Path, tmp_path: Path) -> None:
    _run_and_kill(clips, tmp_path / "killed" / "out")
    forge(clips, ["faceswap"], tmp_path / "killed" / "out", size=96, workers=1)
    forge(clips, ["faceswap"], tmp_path / "whole" / "out", size=96, workers=1)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def _run_and_kill(clips: Path, out: Path) -> None:
    """Kill a run after its first clip is done and before its last is."""
    process = multiprocessing.get_context("spawn").Process(target=_forge, args=(clips, out))
    process.start()
    units = out.parent / f".partial-{out.name}" / "units"
    while not list(units.glob("*.json")):
        assert process.is_alive(), "the run ended before it could be killed"
        time.sleep(0.005)
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert not out.exists()
    assert 0 < len(list(units.glob("*.json"))) < 5


def test_an_interrupted_run_goes_on_only_with_its_own_settings(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run_and_kill(clips, out)
    with pytest.raises(UserError, match="interrupted run with other settings"):
        forge(clips, ["faceswap"], out, size=128, workers=1)
    forge(clips, ["faceswap"], out, size=128, workers=1, overwrite=True)
    assert read_image(Manifest.read(out).file(0)).shape == (128, 128, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_methods_with_networks_train_them_and_say_whom_they_skip(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("difffake.forge.networks.STEPS", 3)
    forge(clips, ["mouth_texture", "autoencoder"], tmp_path / "few", size=64, workers=1)
    table = Manifest.read(tmp_path / "few").table
    assert set(table["method"]) == {"real", "mouth_texture"}
    own = table[table["method"] == "mouth_texture"]
    assert (own["source"] == own["target"]).all()
    skipped = pd.read_csv(tmp_path / "few" / "skipped.csv")
    assert skipped["reason"].unique().tolist() == ["fewer than 20 pictures of one of the two people"]
    method = METHODS["autoencoder"]
    assert method.network is not None
    monkeypatch.setitem(METHODS, method.name, replace(method, network=replace(method.network, min_pictures=4)))
    monkeypatch.setattr("difffake.forge.methods.autoencoder.PAIR_STEPS", 2)
    forge(clips, ["autoencoder"], tmp_path / "enough", size=64, workers=1)
    assert (Manifest.read(tmp_path / "enough").table["method"] == "autoencoder").sum() == 20


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("--methods faceswap", 2, "give --methods and --out"),
        ("--methods fly faceswap --out o", 2, "--methods fly is unknown: choose one or several of alpha_swap"),
        ("--methods faceswap --out o --compression c24", 2, "--compression c24: give one or several of raw, c23, c40"),
        ("--methods faceswap --out o --size 97", 2, "--size 97 must be an even number"),
        ("--methods faceswap --out o --size 62", 2, "--size 62 must be at least 64"),
        ("--methods faceswap --out o --split tset", 2, "--split tset: give one of train, val, test, all"),
    ],
)
def test_wrong_options_end_in_one_line(
    arguments: str, status: int, message: str, clips: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["forge", "--manifest", str(clips), *arguments.split()]) == status
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_nothing_is_said_of_networks_that_no_method_has(
    stills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Manifest.read(stills)
    Manifest(real.table.assign(path=[str(stills / path) for path in real.table["path"]], split="test"), tmp_path).write(
        tmp_path / "manifest.parquet"
    )
    forge(tmp_path / "manifest.parquet", ["faceswap"], tmp_path / "o", size=96, workers=1)
    assert "network" not in capsys.readouterr().err


def test_manifests_that_cannot_be_forged_are_refused(clips: Path, forged: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already"):
        forge(clips, ["faceswap"], forged.root)
    with pytest.raises(UserError, match="several compressions"):
        forge(forged.root, ["faceswap"], tmp_path / "o")
    table = Manifest.read(clips).table
    shared = table.assign(split=["train", "test"] * 10)
    with pytest.raises(UserError, match="shares"):
        forge(written(shared, clips, tmp_path / "shared.parquet"), ["faceswap"], tmp_path / "o")
    with pytest.raises(UserError, match="no real faces with landmarks"):
        forge(written(table.assign(landmarks=None), clips, tmp_path / "bare.parquet"), ["faceswap"], tmp_path / "o")
    one = table[table["identity"] == "000"]
    with pytest.raises(UserError, match="nothing can be forged"):
        forge(written(one, clips, tmp_path / "one.parquet"), ["faceswap"], tmp_path / "o", workers=1)


def test_one_split_alone_is_forged_as_it_is_among_all(stills: Path, tmp_path: Path) -> None:
    everything, held_out = tmp_path / "all", tmp_path / "test"
    forge(stills, ["alpha_swap"], everything, size=96, workers=1)
    forge(stills, ["alpha_swap"], held_out, size=96, split="test", workers=1)
    wanted = Manifest.read(everything).select(split="test").table.sort_values("path")
    found = Manifest.read(held_out).table.sort_values("path")
    assert set(found["split"]) == {"test"}
    assert found["path"].tolist() == wanted["path"].tolist()
    assert found["source"].tolist() == wanted["source"].tolist()
    with pytest.raises(UserError, match="has no split val: choose from train, test, all"):
        forge(stills, ["alpha_swap"], tmp_path / "none", split="val")


def test_real_faces_are_never_overwritten(stills: Path, tmp_path: Path) -> None:
    shutil.copytree(stills, tmp_path / "faces")
    before = content(tmp_path / "faces")
    for out in (tmp_path / "faces", tmp_path):
        with pytest.raises(UserError, match="would replace"):
            forge(tmp_path / "faces", ["faceswap"], out, overwrite=True, workers=1)
    assert content(tmp_path / "faces") == before


@pytest.mark.parametrize("name", ["../elsewhere", "a/../../b", "/elsewhere"])
def test_names_that_lead_out_of_the_folder_are_refused(name: str, stills: Path, tmp_path: Path) -> None:
    table = Manifest.read(stills).table.head(3).assign(target=[name, "b", "c"])
    with pytest.raises(UserError, match="leads out of --out"):
        forge(written(table, stills, tmp_path / "m.parquet"), ["faceswap"], tmp_path / "o", workers=1)


def test_forged_faces_are_not_forged_again(forged: Manifest, tmp_path: Path) -> None:
    table = forged.table[forged.table["compression"] == "c23"]
    with pytest.raises(UserError, match="was made by `difffake forge`"):
        forge(written(table, forged.root, tmp_path / "m.parquet"), ["faceswap"], tmp_path / "o")


def test_a_frame_that_comes_twice_is_named_before_the_work(clips: Path, tmp_path: Path) -> None:
    table = Manifest.read(clips).table
    table.loc[1, "frame"] = table.loc[0, "frame"]
    with pytest.raises(UserError, match="has frame 0 of 000-0 twice"):
        forge(written(table, clips, tmp_path / "m.parquet"), ["faceswap"], tmp_path / "o")


def test_of_several_people_in_a_video_the_main_one_is_forged(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Manifest.read(clips).table
    whole = len(real_faces(clips))
    copy = written(
        table.assign(track=(table["video"] == table["video"].iloc[0]).astype(int)), clips, tmp_path / "m.parquet"
    )
    assert len(real_faces(copy)) == whole - (table["video"] == table["video"].iloc[0]).sum()
    assert "faces of other people in videos are left out" in capsys.readouterr().err


def test_half_written_files_of_a_killed_run_are_no_trouble(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run_and_kill(clips, out)
    partial = tmp_path / ".partial-out"
    for name in ("units/.partial-9-clip-000004.json", ".partial-9-manifest.parquet"):
        (partial / name).write_text('{"manifest": [')
    forge(clips, ["faceswap"], out, size=96, workers=1)
    assert len(Manifest.read(out)) == 40
    assert not list(out.rglob(".partial-*"))


def written(table: pd.DataFrame, root: Path, path: Path) -> Path:
    """A changed manifest that finds the crops of `root`."""
    moved = table.assign(path=[(root / name).as_posix() for name in table["path"]])
    Manifest(moved, path.parent).write(path)
    return path
