"""Cached latents are read back as they were written, by any process, and nothing stale is ever read."""

import pickle
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from difffake.data.manifest import Manifest
from difffake.diffusion import cache as cache_module
from difffake.diffusion.cache import LatentCache, LatentStore
from difffake.errors import UserError
from difffake.files import MARKER

VAE = "0123456789abcdef"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "SHARD", 4)


def faces(root: Path, count: int = 10) -> Manifest:
    """Real faces whose files, never looked into here, have sizes of their own."""
    names = dict.fromkeys(("video", "source", "target", "compression"), "")
    fixed = {"dataset": "d", "split": "train", "label": 0, "method": "real", "frame": 0, "box": None, "landmarks": None}
    root.mkdir(exist_ok=True)
    for number in range(count):
        (root / f"{number}.png").write_bytes(bytes(100 + number))
    rows = [{"path": f"{number}.png", "identity": str(number), **names, **fixed} for number in range(count)]
    return Manifest(pd.DataFrame(rows), root)


def filled(folder: Path, manifest: Manifest) -> tuple[LatentCache, Tensor]:
    """A cache of random latents (N, 2, 4, 3, 3), and these."""
    latents = torch.randn(len(manifest), 2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    cache = LatentCache(folder, manifest, VAE, 24)
    for rows in cache.missing():
        cache.write(rows, latents[rows.start : rows.stop])
    return cache, latents


def test_what_is_written_is_read_back_in_half_precision(tmp_path: Path) -> None:
    cache, latents = filled(tmp_path / "latents", faces(tmp_path / "faces"))
    for row in range(10):
        for mirrored in (False, True):
            found = cache[row, mirrored]
            assert found.dtype == torch.float32
            assert torch.equal(found, latents[row, int(mirrored)].half().float())
            torch.testing.assert_close(found, latents[row, int(mirrored)], rtol=2**-11, atol=1e-7)  # 11 bits are kept


def test_shards_are_missing_until_they_are_whole(tmp_path: Path) -> None:
    """Ten faces are two shards of four and one of two."""
    cache = LatentCache(tmp_path / "latents", faces(tmp_path / "faces"), VAE, 24)
    assert cache.missing() == [range(0, 4), range(4, 8), range(8, 10)]
    cache.write(range(4, 8), torch.zeros(4, 2, 4, 3, 3))
    assert cache.missing() == [range(0, 4), range(8, 10)]
    assert LatentCache(tmp_path / "latents", faces(tmp_path / "faces"), VAE, 24).missing() == cache.missing()


def test_an_unpickled_copy_reads_the_same_and_carries_no_latents(tmp_path: Path) -> None:
    """As a loader's workers get it where they are not forked."""
    manifest = faces(tmp_path / "faces")
    cache, _ = filled(tmp_path / "latents", manifest)
    size = len(pickle.dumps(cache))
    expected = cache[9, True]  # opens a shard, which must not go along
    assert len(pickle.dumps(cache)) == size
    copy, store = pickle.loads(pickle.dumps((cache, LatentStore([(manifest, cache)]))))
    assert torch.equal(copy[9, True], expected)
    assert torch.equal(store[manifest.file(9).as_posix(), True], expected)
    assert torch.equal(cache[9, True], expected)


def test_a_store_finds_each_crop_in_the_cache_of_its_own_manifest(tmp_path: Path) -> None:
    manifests = [faces(tmp_path / name, count) for name, count in (("one", 5), ("two", 6))]
    caches = [LatentCache(tmp_path / f"latents-{number}", m, VAE, 24) for number, m in enumerate(manifests)]
    for number, cache in enumerate(caches):
        for rows in cache.missing():
            values = 100 * number + 10 * torch.tensor(rows)[:, None] + torch.tensor([0, 1])  # a level each
            cache.write(rows, values.view(-1, 2, 1, 1, 1).expand(-1, 2, 4, 3, 3))
    store = LatentStore(list(zip(manifests, caches, strict=True)))
    assert store[(tmp_path / "one" / "4.png").as_posix(), False].unique().tolist() == [40]
    assert store[(tmp_path / "two" / "4.png").as_posix(), False].unique().tolist() == [140]
    assert store[(tmp_path / "two" / "5.png").as_posix(), True].unique().tolist() == [151]


def refused(folder: Path, manifest: Manifest, model: str = VAE, image_size: int = 24) -> str:
    """The error's only line, which names the folder."""
    with pytest.raises(UserError) as caught:
        LatentCache(folder, manifest, model, image_size)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def test_latents_of_something_else_are_refused(tmp_path: Path) -> None:
    root, folder = tmp_path / "faces", tmp_path / "latents"
    manifest = faces(root)
    filled(folder, manifest)
    assert "another model or other settings" in refused(folder, manifest, model="f" + VAE[1:])
    assert "another image size" in refused(folder, manifest, image_size=32)
    assert "other faces" in refused(folder, faces(root, 9))  # fewer rows
    assert "other faces" in refused(folder, Manifest(manifest.table[::-1], root))  # in another order
    assert LatentCache(folder, faces(root), VAE, 24).missing() == []  # the same faces, read anew
    (root / "3.png").write_bytes(bytes(999))  # another crop under the same name, as of another margin
    assert "other faces" in refused(folder, manifest)


def test_shards_of_another_length_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = faces(tmp_path / "faces")
    filled(tmp_path / "latents", manifest)
    monkeypatch.setattr(cache_module, "SHARD", 8)
    assert "another version" in refused(tmp_path / "latents", manifest)


def test_a_crop_that_is_gone_is_named(tmp_path: Path) -> None:
    manifest = faces(tmp_path / "faces")
    (tmp_path / "faces" / "7.png").unlink()
    with pytest.raises(UserError, match=r"7\.png cannot be read: No such file"):
        LatentCache(tmp_path / "latents", manifest, VAE, 24)
    assert not (tmp_path / "latents").exists()


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").touch()
    assert "has other files" in refused(tmp_path / "photos", faces(tmp_path / "faces"))
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["me.jpg"]


@pytest.mark.parametrize("note", ["{", "3", ""])
def test_a_broken_note_is_refused(tmp_path: Path, note: str) -> None:
    filled(tmp_path / "latents", faces(tmp_path / "faces"))
    (tmp_path / "latents" / "cache.json").write_text(note)
    assert "is broken" in refused(tmp_path / "latents", faces(tmp_path / "faces"))


@pytest.mark.parametrize("length", [0, 7, 200, -1, None])
def test_a_shard_that_is_cut_short_or_gone_is_named(tmp_path: Path, length: int | None) -> None:
    """Cut in its header or in its numbers."""
    manifest = faces(tmp_path / "faces")
    filled(tmp_path / "latents", manifest)
    shard = tmp_path / "latents" / "000001.safetensors"
    if length is None:
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:length])
    cache = LatentCache(tmp_path / "latents", manifest, VAE, 24)
    assert cache[3, False].shape == (4, 3, 3)  # the shard before is whole
    with pytest.raises(UserError, match=r"000001\.safetensors cannot be read .*: delete it") as caught:
        _ = cache[4, False]
    assert "\n" not in str(caught.value)


def test_a_crop_replaced_by_one_of_the_same_size_is_seen(tmp_path: Path) -> None:
    manifest = faces(tmp_path / "faces")
    filled(tmp_path / "latents", manifest)
    file = tmp_path / "faces" / "7.png"
    file.write_bytes(b"\1" * file.stat().st_size)
    assert "other faces" in refused(tmp_path / "latents", manifest)


def test_a_shard_with_too_few_faces_is_refused(tmp_path: Path) -> None:
    manifest = faces(tmp_path / "faces")
    cache, latents = filled(tmp_path / "latents", manifest)
    cache.write(range(4, 8), latents[4:6])
    with pytest.raises(UserError, match=r"000001\.safetensors has latents of 2 faces only: delete it"):
        LatentCache(tmp_path / "latents", manifest, VAE, 24)[4, False]


def test_a_folder_left_by_a_killed_start_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "latents").mkdir()
    (tmp_path / "latents" / MARKER).touch()
    (tmp_path / "latents" / ".partial-123-cache.json").write_text("{")
    _, latents = filled(tmp_path / "latents", faces(tmp_path / "faces"))
    assert len(latents) == 10


def test_a_file_is_no_place_for_latents(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert "is a file: choose another folder for latents" in refused(tmp_path / "notes.txt", faces(tmp_path / "faces"))
