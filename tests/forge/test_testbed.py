from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difffake.data.images import read_image
from difffake.data.manifest import Manifest, check_splits
from difffake.errors import UserError
from difffake.forge.testbed import DRAWN_A, DRAWN_B, write_procedural_testbed

SMALL_A = replace(DRAWN_A, identities=(2, 2, 2), videos=2, frames=3)
SMALL_B = replace(DRAWN_B, identities=(0, 0, 3), videos=1, frames=3)


@pytest.fixture(scope="module")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    out = tmp_path_factory.mktemp("testbed") / "out"
    written = write_procedural_testbed(out, seed=1, datasets=(SMALL_A, SMALL_B))
    return {name: Manifest.read(path) for name, path in written.items()}


def test_every_real_video_is_forged_once_by_every_method(testbed: dict[str, Manifest]) -> None:
    a, b = testbed["drawn-a"].table, testbed["drawn-b"].table
    assert a.groupby(["split", "method"]).size().to_dict() == {
        (split, method): 12 for split in ("train", "val", "test") for method in ("real", "paste", "smooth")
    }
    assert b.groupby(["split", "method"]).size().to_dict() == {
        ("test", method): 9 for method in ("real", "poisson", "mouth")
    }
    for table in (a, b):
        assert ((table["method"] != "real") == (table["label"] == 1)).all()
        assert not table.duplicated(["video", "frame"]).any()


def test_splits_share_no_person_source_or_target(testbed: dict[str, Manifest]) -> None:
    for manifest in testbed.values():
        table = manifest.table
        check_splits(table)
        person = table["video"].str.split("/").str[1].str[:3]
        assert (person == table["identity"]).all()
        split_of = table.groupby("identity")["split"].unique().map(lambda names: names[0] if len(names) == 1 else None)
        for column in ("source", "target"):
            owner = table[column].str.split("/").str[1].str[:3]
            assert (owner.map(split_of) == table["split"]).all()


def test_sources_and_targets_are_real_videos(testbed: dict[str, Manifest]) -> None:
    for manifest in testbed.values():
        table = manifest.table
        real = table[table["label"] == 0]
        assert (real["source"] == real["video"]).all()
        assert (real["target"] == real["video"]).all()
        fake = table[table["label"] == 1]
        assert set(fake["source"]) | set(fake["target"]) <= set(real["video"])
        swapped = fake[fake["method"] != "smooth"]
        source_person = swapped["source"].str.split("/").str[1].str[:3]
        assert (source_person != swapped["identity"]).all()
        own = fake[fake["method"] == "smooth"]
        assert (own["source"] == own["target"]).all()


def test_crops_are_square_and_the_landmarks_lie_in_their_middle(testbed: dict[str, Manifest]) -> None:
    for manifest in testbed.values():
        for index in range(0, len(manifest), 5):
            image, points = read_image(manifest.file(index)), manifest.landmarks(index)
            assert image.shape == (112, 112, 3)
            assert points is not None
            span = np.ptp(points, axis=0).max()
            assert pytest.approx(span, abs=2) == 112 / 1.3
            assert points.min() > 0
            assert points.max() < 111


def test_forged_crops_differ_from_their_targets_in_the_face_more_than_around_it(testbed: dict[str, Manifest]) -> None:
    # The camera's noise is everywhere; the forging only within the face.
    for manifest in testbed.values():
        table = manifest.table
        real = {(row.video, row.frame): i for i, row in enumerate(table.itertuples()) if row.label == 0}
        for method in set(table["method"]) - {"real"}:
            face, corner = [], []
            for i, row in enumerate(table.itertuples()):
                if row.method != method:
                    continue
                twin = real[row.target, row.frame]
                np.testing.assert_array_equal(row.box, table["box"].iat[twin])
                change = np.abs(read_image(manifest.file(i)).astype(int) - read_image(manifest.file(twin)))
                face.append(change[66:92, 40:72].mean())
                corner.append(change[:8].mean())
            assert np.mean(face) > 1.3 * np.mean(corner)
            assert 0 < np.mean(corner) < 8


def test_the_same_seed_writes_the_same_bytes_on_any_number_of_workers(tmp_path: Path) -> None:
    tiny = replace(DRAWN_A, identities=(2, 0, 0), videos=1, frames=2)
    files = {}
    for name, seed, workers in (("one", 5, 1), ("three", 5, 3), ("other", 6, 1)):
        write_procedural_testbed(tmp_path / name, seed, (tiny,), workers)
        files[name] = [
            (p.name, p.read_bytes()) for p in sorted((tmp_path / name).rglob("*")) if p.suffix in (".png", ".parquet")
        ]
    assert len(files["one"]) == 13
    assert files["one"] == files["three"] != files["other"]


def test_a_split_of_one_person_cannot_be_swapped(tmp_path: Path) -> None:
    lonely = replace(DRAWN_A, identities=(2, 1, 2))
    with pytest.raises(UserError, match="a split of one person"):
        write_procedural_testbed(tmp_path / "out", datasets=(lonely,))
    assert not (tmp_path / "out").exists()
