"""What of a data set is used: manipulations, compressions, splits."""

from pathlib import Path

import pandas as pd
import pytest
from trees import grow

from difffake.commands.fit_anomaly import fit_anomaly
from difffake.commands.prepare import prepare
from difffake.data.choice import Choice, choose_items, choose_rows
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.evaluation.evaluate import read_tests
from difffake.readers.item import REAL, Item
from difffake.training.datamodule import FaceData

ITEMS = [
    Item(Path(f"{method}-{compression}.mp4"), f"{method}-{compression}", int(method != REAL), method, split,
         compression=compression)
    for split, methods in (("train", ("FaceSwap",)), ("test", (REAL, "Deepfakes")))
    for method in methods
    for compression in ("c23", "c40")
]  # fmt: skip


def chosen(choice: Choice, splits: tuple[str, ...] = ()) -> list[str]:
    return [item.name for item in choose_items(ITEMS, choice, splits, Path("ffpp"))]


def test_real_faces_go_with_every_method() -> None:
    assert len(chosen(Choice())) == 6
    assert chosen(Choice(["Deepfakes"])) == ["real-c23", "real-c40", "Deepfakes-c23", "Deepfakes-c40"]
    assert chosen(Choice(["FaceSwap"], ["c23"])) == ["FaceSwap-c23", "real-c23"]
    assert chosen(Choice(["real"])) == ["real-c23", "real-c40"]
    assert chosen(Choice((), ["c40"]), ("test",)) == ["real-c40", "Deepfakes-c40"]
    stills = [Item(Path("a.png"), "a"), ITEMS[0]]
    assert choose_items(stills, Choice((), ["c23"]), (), Path()) == stills  # whose compression is not known


@pytest.mark.parametrize(
    ("choice", "splits", "message"),
    [
        (Choice(["Deepfake"]), (), "--methods Deepfake: ffpp has Deepfakes, FaceSwap"),
        (Choice((), ["c0", "c23"]), (), "--compressions c0: ffpp has c23, c40"),
        (Choice(), ("val",), "--splits val: ffpp has test, train"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(choice: Choice, splits: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        chosen(choice, splits)


def test_a_method_in_other_compressions_alone() -> None:
    items = [item for item in ITEMS if item.name != "Deepfakes-c40"]
    with pytest.raises(UserError, match="ffpp has Deepfakes in c23, not in c40"):
        choose_items(items, Choice(["Deepfakes"], ["c40"]), (), Path("ffpp"))
    with pytest.raises(UserError, match="--splits test: ffpp has no splits of its own"):
        choose_items([Item(Path("a.png"), "a")], Choice(), ("test",), Path("ffpp"))


def test_prepare_checks_its_choice_before_any_work(tmp_path: Path) -> None:
    root = grow(tmp_path / "ffpp", "original_sequences/youtube/c23/videos/000.mp4")
    with pytest.raises(UserError, match=r"--methods FaceSwap: .* has no fakes"):
        prepare("ffpp", root, tmp_path / "out", methods=["FaceSwap"])
    celeb = grow(tmp_path / "celeb", "Celeb-real/id0_0000.mp4", "Celeb-real/id0_0001.mp4", "YouTube-real/00001.mp4")
    grow(celeb, "Celeb-synthesis/id0_id1_0000.mp4")
    (celeb / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0001.mp4\n")
    with pytest.raises(UserError, match=r"shares .* or prepare one alone, such as --splits test"):
        prepare("celeb-df", celeb, tmp_path / "out")


@pytest.fixture
def mixed(manifest: Manifest, tmp_path: Path) -> Path:
    """The manifest's faces as c23 and c40, and the latter's fakes by method y."""
    table = manifest.table
    other = table.assign(
        compression="c40", method=table["method"].replace("x", "y"), path=[f"c40/{path}" for path in table["path"]]
    )
    Manifest(pd.concat([table.assign(compression="c23"), other]), tmp_path).write(tmp_path / "manifest.parquet")
    (tmp_path / "c40").mkdir()
    for path in table["path"]:
        for folder in (tmp_path, tmp_path / "c40"):
            (folder / path).write_bytes((manifest.root / path).read_bytes() + folder.name.encode())
    return tmp_path


def test_compressions_are_not_mixed_unasked(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"c23 \(15 crops\), c40 \(15 crops\): choose with --data\.compressions c23"):
        _ = FaceData(str(mixed)).manifest
    assert set(FaceData(str(mixed), compressions=["c40"]).manifest.table["compression"]) == {"c40"}
    assert len(FaceData(str(mixed), compressions=["c23", "c40"]).manifest) == 30
    with pytest.raises(UserError, match=r"--data\.compressions raw: .* has c23, c40"):
        _ = FaceData(str(mixed), compressions=["raw"]).manifest
    (tmp_path / "best.ckpt").touch()
    with pytest.raises(UserError, match=r"c23 \(8 crops\), c40 \(8 crops\): choose with --compressions c23"):
        fit_anomaly(tmp_path / "best.ckpt", [mixed])


def test_other_compressions_in_the_test_split_are_no_mixture(mixed: Path) -> None:
    whole = Manifest.read(mixed)
    table = whole.table.assign(split=whole.table["split"].where(whole.table["compression"] == "c23", "test"))
    for column in ("identity", "target", "video"):  # else the splits would share them
        table[column] = table[column].where(table["split"] != "test", table[column] + "-other")
    Manifest(table, mixed).write(mixed / "other.parquet")
    assert len(FaceData(str(mixed / "other.parquet")).manifest) == 30


def test_tests_are_chosen_too(mixed: Path) -> None:
    (test,), lost = read_tests([mixed], "val", set(), Choice(["y"], ["c40"]))
    assert (set(test.table["method"]), set(test.table["compression"]), lost) == ({"real", "y"}, {"c40"}, {})
    with pytest.raises(UserError, match=r"--methods z: .* has x, y"):
        read_tests([mixed], "val", set(), Choice(["z"]))
    with pytest.raises(UserError, match="no rows that are chosen in the split test"):
        read_tests([mixed], "test", set(), Choice(["y"]))


def test_a_method_of_one_of_several_manifests_is_enough(mixed: Path) -> None:
    whole = Manifest.read(mixed)
    halves = [Manifest(whole.table[whole.table["compression"] == name], mixed) for name in ("c23", "c40")]
    first, second = choose_rows(halves, Choice(["x"]))
    assert (set(first.table["method"]), set(second.table["method"])) == ({"real", "x"}, {"real"})


def test_lost_files_of_other_methods_are_not_counted(mixed: Path) -> None:
    rows = "a,a,val,x,c23,0,False,no face", "b,b,val,y,c40,0,False,no face", "c,c,val,real,c40,0,False,no face"
    (mixed / "skipped.csv").write_text("\n".join(["file,name,split,method,compression,frame,kept,reason", *rows]))
    for choice, words in (
        (Choice(), "8 of 11 files scored; without any crop: a, b, c"),
        (Choice(["y"], ["c40"]), "4 of 6 files scored; without any crop: b, c"),
    ):
        _, lost = read_tests([mixed], "val", set(), choice)
        assert words in lost["d"]
