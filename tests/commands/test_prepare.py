"""`difffake prepare` on real photographs and clips, broken files among them."""

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from small_trees import plant

from difffake.commands.main import main
from difffake.commands.prepare import prepare
from difffake.data.keys import pair_group
from difffake.data.manifest import Manifest
from difffake.data.skipped import coverage
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.readers.reader import find_readers


@pytest.fixture(scope="module")
def messy(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people's photographs, one without a face, one cut short, and one with two faces."""
    root = tmp_path_factory.mktemp("messy")
    for person in ("001", "002"):
        (root / person).mkdir()
        for name in ("neutral", "smiling"):
            shutil.copy(shared_data / "london" / person / f"{name}.jpg", root / person)
    one, two = (read_image(root / person / "neutral.jpg") for person in ("001", "002"))
    smaller = np.pad(cv2.resize(two, (358, 358)), ((0, 154), (0, 0), (0, 0)))
    both = np.hstack([one, smaller])
    (root / "003").mkdir()
    cv2.imwrite(str(root / "003" / "both.jpg"), both[..., ::-1])
    cv2.imwrite(str(root / "003" / "empty.png"), np.full((100, 100, 3), 90, np.uint8))
    data = (root / "001" / "neutral.jpg").read_bytes()
    (root / "003" / "cut.jpg").write_bytes(data[: len(data) // 2])
    return root


def test_what_fails_is_recorded_and_the_rest_goes_on(messy: Path, landmarker: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare("folder", messy, out, split=(0.5, 0.0, 0.5), landmarker=landmarker, workers=2)
    manifest = Manifest.read(out)
    assert sorted(manifest.table["path"]) == [
        "crops/001/neutral.png",
        "crops/001/smiling.png",
        "crops/002/neutral.png",
        "crops/002/smiling.png",
        "crops/003/both.png",
    ]
    skipped = pd.read_csv(out / "skipped.csv")
    skipped.index = pd.Index([Path(file).name for file in skipped["file"]])
    assert manifest.margin == 1.3
    assert skipped.loc["empty.png", "reason"] == "no face found"
    assert "cut short" in str(skipped.loc["cut.jpg", "reason"])
    assert skipped.loc["both.jpg", "reason"] == "2 faces found, the largest taken"
    assert skipped["kept"].to_dict() == {"empty.png": False, "cut.jpg": False, "both.jpg": True}
    # The names that their crops have or would have, and the split of their person: so `evaluate` counts what is lost.
    assert skipped["name"].to_dict() == {"empty.png": "003/empty", "cut.jpg": "003/cut", "both.jpg": "003/both"}
    (of_third,) = manifest.table.loc[manifest.table["identity"] == "003", "split"]
    assert skipped["split"].unique().tolist() == [of_third]
    found = coverage(manifest, of_third)
    assert found is not None
    assert found.lost == ["003/cut", "003/empty"]
    assert found.scored == (manifest.table["split"] == of_third).sum()
    # The largest of two is the one on the left.
    box = manifest.table.set_index("path").loc["crops/003/both.png", "box"]
    assert box[2] < 520
    for index in range(len(manifest)):
        crop, landmarks = read_image(manifest.file(index)), manifest.landmarks(index)
        assert landmarks is not None
        assert crop.shape[0] == crop.shape[1]
        assert landmarks.min() > 0
        assert landmarks.max() < len(crop)
    of_person = manifest.table.groupby("identity")["split"].nunique()
    assert (of_person == 1).all()


def test_the_number_of_workers_changes_nothing(messy: Path, landmarker: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "one", tmp_path / "two"]
    for workers, out in enumerate(outs, start=1):
        prepare("folder", messy, out, dataset="d", landmarker=landmarker, workers=workers)
    one, two = (sorted(p for p in out.rglob("*") if p.is_file()) for out in outs)
    assert [p.relative_to(outs[0]) for p in one] == [p.relative_to(outs[1]) for p in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_frames_of_clips(shared_data: Path, landmarker: Path, tmp_path: Path) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    shutil.copy(shared_data / "clips" / "grid_bbaf2n.mpg", root)
    (root / "nothing.mp4").touch()
    prepare("videos", root, tmp_path / "out", frames=5, split=(0, 0, 1), landmarker=landmarker, workers=1)
    table = Manifest.read(tmp_path / "out").table
    assert table["frame"].tolist() == [7, 22, 37, 52, 67]
    assert set(table["video"]) == {"grid_bbaf2n"}
    assert "nothing.mp4 cannot be read as a video" in (tmp_path / "out" / "skipped.csv").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reader": "zip"}, "--reader zip is unknown"),
        ({"root": Path("nowhere")}, "does not exist"),
        ({"split": (0.9, 0.9, 0.9)}, "sum to 1"),
        ({"split_by": "video"}, "--split-by video"),
    ],
)
def test_wrong_arguments_are_explained(messy: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"reader": "folder", "root": messy, "out": tmp_path / "out"}
    with pytest.raises(UserError, match=message):
        prepare(**(arguments | change))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_landmarker_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named = tmp_path / "given.task", tmp_path / "named.task"
    for path in (given, named):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("model.tflite", b"")
    monkeypatch.setenv("DIFFFAKE_LANDMARKER", str(named))
    assert landmarker_model(given) == given
    assert landmarker_model() == named
    monkeypatch.setenv("DIFFFAKE_LANDMARKER", str(tmp_path / "none.task"))
    with pytest.raises(UserError, match="DIFFFAKE_LANDMARKER"):
        landmarker_model()
    given.write_text("not a model")
    with pytest.raises(UserError, match=r"given\.task is not MediaPipe's"):
        landmarker_model(given)


def test_a_download_is_checked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real download code on a local file in place of the server."""
    import hashlib

    from difffake.faces import model_file as module

    monkeypatch.delenv("DIFFFAKE_LANDMARKER", raising=False)
    monkeypatch.delenv("DIFFFAKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    served = tmp_path / "served.task"
    served.write_bytes(b"model")
    monkeypatch.setattr(module, "URL", served.as_uri())
    with pytest.raises(UserError, match="unexpected SHA-256"):
        landmarker_model()
    assert not any((tmp_path / "cache").rglob("*.task"))
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(b"model").hexdigest())
    path = landmarker_model()
    assert path.read_bytes() == b"model"
    served.unlink()
    assert landmarker_model() == path  # from the cache
    path.unlink()
    with pytest.raises(UserError, match="--landmarker"):
        landmarker_model()


def test_readers_are_listed_with_what_they_expect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--reader", "list"]) == 0
    shown = capsys.readouterr().out
    for name, reader in find_readers().items():
        assert f"{name}\n    {reader.layout}\n    splits: {reader.splits}\n" in shown
    assert {"ffpp", "dfd", "folder", "table", "videos"} <= set(find_readers())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reader", "ffp"], "--reader ffp is unknown: did you mean ffpp?"),
        (["--reader", "videos", "--out", "x"], "--root is missing"),
        (["--reader", "videos", "--root", "."], "--out is missing"),
    ],
)
def test_a_wrong_reader_or_a_missing_folder_is_a_wrong_option(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *words]) == 2
    assert capsys.readouterr().err == f"difffake prepare: {message}\n"


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def prepare_command(root: Path, out: Path, landmarker: Path) -> list[str]:
    options = ["--reader", "folder", "--root", str(root), "--out", str(out), "--landmarker", str(landmarker)]
    return [sys.executable, "-m", "difffake", "prepare", *options, "--split", "0.5", "0", "0.5", "--workers", "1"]


def test_killed_and_started_again_it_ends_with_the_same_bytes(messy: Path, landmarker: Path, tmp_path: Path) -> None:
    subprocess.run(prepare_command(messy, tmp_path / "whole", landmarker), check=True)
    out = tmp_path / "killed"
    units = out.with_name(".partial-killed") / "units"
    with subprocess.Popen(prepare_command(messy, out, landmarker)) as process:
        while process.poll() is None and len(list(units.glob("*.json"))) < 2:
            time.sleep(0.01)
        assert process.poll() is None, "the run ended before it could be killed"
        process.kill()
    done = {file.name: file.stat().st_mtime_ns for file in units.glob("[0-9]*.json")}
    subprocess.run(prepare_command(messy, out, landmarker), check=True)
    assert len(done) >= 2
    assert content(out) == content(tmp_path / "whole")
    assert not out.with_name(".partial-killed").exists()


def test_jobs_of_an_array_share_the_work_and_the_last_one_ends_it(
    messy: Path, landmarker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"split": (0.5, 0.0, 0.5), "landmarker": landmarker, "workers": 1}
    prepare("folder", messy, tmp_path / "whole", **options)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "0")
    for number in ("1", "0"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", number)
        assert not (tmp_path / "shared").exists()
        capsys.readouterr()
        prepare("folder", messy, tmp_path / "shared", **options)
        if number == "1":
            assert "share 2 of 2 is done" in capsys.readouterr().err
    assert content(tmp_path / "shared") == content(tmp_path / "whole")


def test_a_clip_of_two_people_gives_one_of_them_or_both(shared_data: Path, landmarker: Path, tmp_path: Path) -> None:
    """Two clips side by side; the second one has been seen in half of the frames only."""
    left, right = (
        [frame.image for frame in read_clip(shared_data / "clips" / f"grid_{name}.mpg", 8).frames]
        for name in ("bbaf2n", "brbk7n")
    )
    (tmp_path / "clips").mkdir()
    with av.open(str(tmp_path / "clips" / "two.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.pix_fmt, stream.width, stream.height = "bgr0", 720, 288
        for number, pair in enumerate(zip(left, right, strict=True)):
            image = np.hstack([pair[0], pair[1] if number < 4 else np.full_like(pair[1], 90)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())
    options = {"split": (0, 0, 1), "landmarker": landmarker, "workers": 1}
    prepare("videos", tmp_path / "clips", tmp_path / "main", **options)
    table = Manifest.read(tmp_path / "main").table
    assert (table["track"].tolist(), table["frame"].tolist()) == ([0] * 8, list(range(8)))
    assert all(box[2] <= 400 for box in table["box"])
    assert "another person, in 4 of 8 frames, is left out" in (tmp_path / "main" / "skipped.csv").read_text()
    prepare("videos", tmp_path / "clips", tmp_path / "all", people="all", **options)
    manifest = Manifest.read(tmp_path / "all")
    other = manifest.table[manifest.table["track"] == 1]
    assert other["frame"].tolist() == [0, 1, 2, 3]
    assert other["path"].iloc[0] == "crops/two/track1/000000.png"
    assert all(box[0] >= 320 for box in other["box"])
    # Pairs are of one person, and the file counts as one.
    assert pair_group(manifest.table).nunique() == 2
    assert coverage(manifest, "all") is None or str(coverage(manifest, "all")).startswith("1 of 1")


def test_all_that_is_taken_can_be_put_into_one_split(messy: Path, landmarker: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare("folder", messy, out, split=(0.5, 0.0, 0.5), as_split="test", landmarker=landmarker, workers=1)
    assert set(Manifest.read(out).table["split"]) == {"test"}


def test_a_wrong_root_is_answered_with_the_right_one(tmp_path: Path) -> None:
    root = plant(tmp_path / "sets" / "tree", "celeb-df")
    for wrong in (root.parent, root / "YouTube-real"):
        with pytest.raises(UserError, match=rf"is missing: .*; did you mean --root {root}\?"):
            prepare("celeb-df", wrong, tmp_path / "out")
    with pytest.raises(UserError, match=r"List_of_testing_videos\.txt is a file: name the folder that it is in"):
        prepare("celeb-df", root / "List_of_testing_videos.txt", tmp_path / "out")


def test_what_is_missing_is_said_of_what_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any face is looked for: the landmark model, which is asked for after that, is not there."""
    nowhere = tmp_path / "nowhere.task"
    root = plant(tmp_path / "ffpp", "ffpp")
    (root / "original_sequences/youtube/c23/videos/003.mp4").unlink()
    (root / "manipulated_sequences/FaceSwap/c40/videos").mkdir(parents=True)
    (root / "manipulated_sequences/FaceSwap/c40/videos/004_005.mp4").touch()
    with pytest.raises(UserError, match=r"nowhere\.task"):
        prepare("ffpp", root, tmp_path / "out", methods=["Deepfakes"], splits=["train"], val=0, landmarker=nowhere)
    assert capsys.readouterr().err == f"{root}: listed videos that are missing: real c23 1 of 2 (such as 003)\n"
    shutil.rmtree(root / "original_sequences")
    with pytest.raises(UserError, match=r"nowhere\.task"):
        prepare("ffpp", root, tmp_path / "out", methods=["Deepfakes"], landmarker=nowhere)
    assert capsys.readouterr().err == f"{root} has fakes only, as far as is chosen\n"
