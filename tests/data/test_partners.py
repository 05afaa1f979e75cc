"""Which real faces a fake was made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import TinyRun

from difffake.data.manifest import Manifest
from difffake.data.partners import PairOrder, find_partners
from difffake.errors import UserError
from difffake.training.datamodule import FaceData


def crop(path: str, **columns: Any) -> dict[str, Any]:
    """A crop of FaceForensics++ by its path, such as real/000/10: the row of the manifest, with `columns` changed."""
    method, video, frame = path.split("/")
    target, _, source = video.partition("_")
    names = {"video": f"{method}/{video}" if source else video, "source": source, "target": target}
    fixed = {"dataset": "ffpp", "split": "train", "identity": target, "compression": "c23", "box": None}
    return {
        "path": path, **fixed, **names, "method": method, "label": int(method != "real"), "frame": int(frame),
        "landmarks": None, **columns,
    }  # fmt: skip


def partners(rows: list[dict[str, Any]], order: PairOrder = "target_source", **options: Any) -> dict[str, Any]:
    """Paths of source and target, None where unknown, by the crop's path."""
    manifest = Manifest(pd.DataFrame(rows), Path("root"))
    paths = [*manifest.table["path"], None]  # -1 is the last
    found = find_partners(manifest, order, **options)
    assert found.known.tolist() == [s >= 0 and t >= 0 for s, t in zip(found.source, found.target, strict=True)]
    return {paths[row]: (paths[found.source[row]], paths[found.target[row]]) for row in range(len(manifest))}


REAL = [crop(f"real/{video}/{frame}") for video, frame in (("000", 20), ("000", 0), ("000", 10), ("003", 20))]
REAL += [crop("real/003/0"), crop("real/007/10")]


def test_a_fake_finds_the_same_frame_of_both_videos() -> None:
    """The fake 000_003 shows the face of 003, its source, in video 000, its target."""
    found = partners([*REAL, crop("Deepfakes/000_003/20"), crop("FaceSwap/003_000/0")])
    assert found["Deepfakes/000_003/20"] == ("real/003/20", "real/000/20")
    assert found["FaceSwap/003_000/0"] == ("real/000/0", "real/003/0")


@pytest.mark.parametrize(
    ("frame", "source", "target"),
    [(1, 0, 0), (9, 0, 10), (10, 0, 10), (11, 20, 10), (15, 20, 10), (16, 20, 20), (900, 20, 20)],
)
def test_without_the_same_frame_it_finds_the_nearest_and_of_two_the_earlier(
    frame: int, source: int, target: int
) -> None:
    """There are the frames 0, 10 and 20 of video 000, 0 and 20 of video 003; 10 and 15 lie in the middle."""
    for rows in (REAL, REAL[::-1]):  # whatever the order of the table
        found = partners([*rows, crop(f"Deepfakes/000_003/{frame}")])
        assert found[f"Deepfakes/000_003/{frame}"] == (f"real/003/{source}", f"real/000/{target}")


def test_a_real_face_is_its_own_source_and_target() -> None:
    found = partners([*REAL, crop("Deepfakes/000_003/20")])
    assert all(found[row["path"]] == (row["path"],) * 2 for row in REAL)


def test_an_unknown_partner_is_none_and_never_another_face() -> None:
    """Video 999 has no real faces here, and the maker of the last fake did not say where the face came from."""
    found = partners([
        *REAL, crop("Deepfakes/000_999/0"), crop("Deepfakes/999_003/0"), crop("Face2Face/000_003/0", source=""),
    ])  # fmt: skip
    assert found["Deepfakes/000_999/0"] == (None, "real/000/0")
    assert found["Deepfakes/999_003/0"] == ("real/003/0", None)
    assert found["Face2Face/000_003/0"] == (None, "real/000/0")


def test_compressions_and_data_sets_are_kept_apart() -> None:
    """c40 has video 000 but not 003; another data set has a 003 too, which is somebody else."""
    others = [crop("c40/000/20", compression="c40", label=0), crop("other/003/20", dataset="other", label=0)]
    found = partners([
        *REAL, *others, crop("Deepfakes/000_003/20", compression="c40"), crop("Deepfakes/000_003/10", dataset="other"),
    ])  # fmt: skip
    assert found["Deepfakes/000_003/20"] == (None, "c40/000/20")
    assert found["Deepfakes/000_003/10"] == ("other/003/20", None)


def test_the_published_codes_order_swaps_the_partners_of_fakes_alone() -> None:
    rows = [*REAL, crop("Deepfakes/000_003/20"), crop("Deepfakes/000_999/0")]
    right, swapped = partners(rows), partners(rows, "source_target")
    assert swapped["Deepfakes/000_003/20"] == ("real/000/20", "real/003/20")
    assert swapped == {path: pair if path.startswith("real") else pair[::-1] for path, pair in right.items()}


def test_what_was_recorded_goes_before_names() -> None:
    """Also where the recorded face is not among the rows: a face that is known to be another is no partner."""
    rows = [*REAL, crop("a/000_003/20"), crop("b/000_003/20"), crop("c/000_003/20")]
    exact = {
        "root/a/000_003/20": ("root/real/003/0", "root/real/000/10"),
        "root/b/000_003/20": ("root/real/gone/0", "root/real/000/10"),
    }
    found = partners(rows, exact=exact)
    assert found["a/000_003/20"] == ("real/003/0", "real/000/10")
    assert found["b/000_003/20"] == (None, "real/000/10")
    assert found["c/000_003/20"] == ("real/003/20", "real/000/20")
    assert partners(rows, "source_target", exact=exact)["a/000_003/20"] == ("real/000/10", "real/003/0")


def test_forgeries_find_the_real_faces_of_the_data_set_that_they_were_forged_from() -> None:
    found = partners([*REAL, crop("faceswap/000_003/20", dataset="forged-ffpp")])
    assert found["faceswap/000_003/20"] == ("real/003/20", "real/000/20")


def test_stills_are_found_by_the_names_of_their_files() -> None:
    """A lone still has neither video nor target; its name is its path without folder crops and suffix."""
    lone = [{**crop("real/000/0"), "path": f"crops/{name}/1.png", "video": "", "target": ""} for name in ("ann", "bea")]
    found = partners([*lone, crop("swap/000_003/0", video="", source="ann/1", target="bea/1")])
    assert found["swap/000_003/0"] == ("crops/ann/1.png", "crops/bea/1.png")


@pytest.mark.parametrize("several", [False, True])
def test_a_forged_testbed_gives_the_faces_that_were_put_together(
    tiny_run: TinyRun, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`difffake forge` chooses the source's frame by pose, and notes it. The path may be relative."""
    monkeypatch.chdir(tiny_run.seen.parent)
    names = [tiny_run.seen.name, *([str(tiny_run.unseen)] if several else [])]
    data = FaceData(names, fakes="manifest", image_size=64)
    rows, found = data.training_set().manifest, data.partners()
    recorded = pd.read_parquet(tiny_run.seen / "forgeries.parquet").set_index("path")
    fakes = np.flatnonzero(rows.table["label"] == 1).tolist()
    assert len(fakes) == 48  # 4 clips of 6 frames by 2 methods
    for row in fakes:
        name = rows.file(row).resolve().relative_to(tiny_run.seen.resolve()).as_posix()
        for role in ("source", "target"):
            partner = rows.file(int(getattr(found, role)[row])).resolve()
            assert partner == (tiny_run.seen / recorded.at[name, f"{role}_path"]).resolve()
    by_name = find_partners(rows)
    assert (by_name.source != found.source).sum() > 24  # most sources are another frame than their names would give
    swapped = FaceData(names, fakes="manifest", image_size=64, pair_order="source_target").partners()
    np.testing.assert_array_equal(swapped.source, found.target)
    np.testing.assert_array_equal(swapped.target, found.source)


def test_fakes_without_any_partner_are_refused(tmp_path: Path) -> None:
    fakes = [crop("Deepfakes/000_999/0"), crop("Deepfakes/888_003/0")]
    Manifest(pd.DataFrame([*REAL, *fakes]), tmp_path).write(tmp_path / "manifest.parquet")
    with pytest.raises(UserError, match=r"no fake of .* has a source and a target") as caught:
        FaceData(str(tmp_path), fakes="manifest").partners()
    assert "\n" not in str(caught.value)
    assert not FaceData(str(tmp_path), fakes="both").partners().known[-2:].any()  # pseudo-deepfakes have them
