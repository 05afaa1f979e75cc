"""Findings from the crops: missing, broken, equal and nearly equal ones."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rows import fake, manifest_of, row

from difffake.data.check.duplicates import find_duplicates
from difffake.data.check.near import RADIUS, near_pairs
from difffake.data.check.pictures import chosen_rows, look, look_at, perceptual_hash, present
from difffake.data.check.run import check
from difffake.data.manifest import Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.faces.images import write_png

FACES = 12


@pytest.fixture(scope="module")
def faces() -> list[np.ndarray]:
    return [render_face(Identity.sample(np.random.default_rng(number)), size=160)[0] for number in range(FACES)]


def write(root: Path, faces: list[np.ndarray], **changed: dict[str, Any]) -> Path:
    """Stills of different people and videos, with the columns of some (by name) changed; the folder."""
    rows = []
    for number, face in enumerate(faces):
        name = f"face-{number}"
        write_png(root / f"{name}.png", face)
        rows.append({**row(f"{name}.png", identity=name), **changed.get(name.replace("-", "_"), {})})
    manifest = manifest_of(*rows)
    Manifest(manifest.table, root).write(root / "manifest.parquet")
    return root


def lines(root: Path, *more: Path, frames: int | None = None) -> list[str]:
    return [str(found) for found in check([root, *more], frames, workers=1).findings if found.level != "note"]


def quality(image: np.ndarray, value: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, value])[1], cv2.IMREAD_COLOR)


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(1.1 * image + 5, 0, 255).astype(np.uint8)


def test_different_faces_are_no_duplicates(tmp_path: Path, faces: list[np.ndarray]) -> None:
    assert lines(write(tmp_path, faces)) == []


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "change",
    [
        lambda i: quality(i, 30),
        lambda i: resized(i, 0.5),
        lambda i: resized(i, 1.4),
        brighter,
        lambda i: quality(resized(i, 0.6), 50),
    ],
    ids=["re-encoded", "smaller", "larger", "brighter", "both"],
)
def test_a_changed_copy_is_found(tmp_path: Path, faces: list[np.ndarray], change: Any, split: str) -> None:
    root = write(tmp_path, [*faces, change(faces[3])], face_12={"split": split})
    (line,) = lines(root)
    assert line.startswith("fault: near duplicates leak: train and test: " if split == "test" else "warning: near dup")
    assert "1 pair of crops" in line
    assert "(face-3.png and face-12.png)" in line


def test_equal_pixels_are_found_in_other_files_and_across_data_sets(tmp_path: Path, faces: list[np.ndarray]) -> None:
    one, other = write(tmp_path / "one", faces[:4]), write(tmp_path / "other", faces[4:6])
    cv2.imwrite(str(other / "face-1.png"), faces[2][..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert (other / "face-1.png").read_bytes() != (one / "face-2.png").read_bytes()
    table = Manifest.read(other).table
    Manifest(table.assign(dataset="e"), other).write(other / "manifest.parquet")
    (line,) = lines(one, other)
    assert line.startswith("warning: exact duplicates: within a split, 1 pair")
    assert "1 across data sets" in line
    Manifest(table.assign(dataset="e", split="test"), other).write(other / "manifest.parquet")
    (line,) = lines(one, other)
    assert line.startswith("fault: exact duplicates leak: train and test: 1 pair")


def test_a_fake_and_its_target_and_frames_of_a_video_are_no_duplicates(tmp_path: Path, faces: list[np.ndarray]) -> None:
    changed = {f"face_{n}": {"video": "v", "identity": "", "frame": n} for n in (0, 1)}
    nearly = quality(faces[0], 60)
    changed |= {"face_2": fake("face-2.png", video="w", target="v", source="u"), "face_3": row("face-3.png", video="u")}
    root = write(tmp_path, [faces[0], nearly, quality(faces[0], 50), faces[5]], **changed)
    assert lines(root) == []


def test_frozen_videos_unchanged_fakes_and_black_frames(tmp_path: Path, faces: list[np.ndarray]) -> None:
    changed = {f"face_{n}": {"video": "v", "identity": "", "frame": n} for n in (0, 1)}
    changed["face_2"] = fake("face-2.png", target="v")
    root = write(tmp_path, [faces[0], faces[0], faces[0], np.zeros((80, 80, 3), np.uint8)], **changed)
    found = lines(root)
    assert any("frozen videos: 1 crop" in line and "(face-1.png)" in line for line in found)
    assert any("unchanged fakes: 1 fake " in line and "(face-2.png)" in line for line in found)
    assert any("flat pictures: 1 crop" in line and "(face-3.png)" in line for line in found)


def test_missing_and_broken_files(tmp_path: Path, faces: list[np.ndarray]) -> None:
    root = write(tmp_path, faces[:5])
    (root / "face-0.png").unlink()
    (root / "face-1.png").write_bytes((root / "face-1.png").read_bytes()[:700])
    (root / "face-2.png").write_bytes(b"")
    missing, broken = lines(root)
    assert missing.startswith("fault: missing files: 1 of 5 crops do not exist")
    assert "(face-0.png)" in missing
    assert broken.startswith("fault: broken files: 2 of 4 crops that were opened")
    assert "face-1.png is not an image" in broken
    assert len(lines(root, frames=0)) == 1  # nothing is opened


def test_any_exception_of_a_library_is_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr("difffake.data.check.pictures.read_image", fails)
    assert look(tmp_path / "a.png").error == "cannot be read: MemoryError"


def test_processes_look_at_crops_in_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(600):
        write_png(tmp_path / f"{number}.png", rng.integers(0, 256, (8 + number % 50, 8, 3), dtype=np.uint8))
    manifest = Manifest(manifest_of(*(row(f"{number}.png") for number in range(600))).table, tmp_path)
    looks = look_at(manifest, np.arange(600), workers=2)
    assert looks.sides.tolist() == [8 + number % 50 for number in range(600)]
    assert present(manifest).all()


def test_frames_are_spaced_over_each_video() -> None:
    rows = [row(f"v/{n}.png", video="v", frame=n) for n in range(10)] + [row("w.png", video="w"), row("still.png")]
    manifest = manifest_of(*rows)
    assert chosen_rows(manifest, None).tolist() == list(range(12))
    assert chosen_rows(manifest, 0).tolist() == []
    assert chosen_rows(manifest, 1).tolist() == [0, 10, 11]
    assert chosen_rows(manifest, 3).tolist() == [0, 4, 7, 10, 11]


def test_near_pairs_are_those_of_a_comparison_of_all() -> None:
    rng = np.random.default_rng(0)
    hashes = np.repeat(rng.integers(0, 2**64, 200, dtype=np.uint64), 5)
    for _ in range(6):
        turned = np.uint64(1) << rng.integers(0, 64, len(hashes)).astype(np.uint64)
        hashes = np.where(rng.random(len(hashes)) < 0.6, hashes ^ turned, hashes)
    group = rng.integers(0, 300, len(hashes))
    differ = np.bitwise_count(hashes[:, None] ^ hashes[None])
    wanted = np.argwhere(np.triu((differ <= RADIUS) & (group[:, None] != group[None]), 1))
    assert len(wanted) > 100
    assert near_pairs(hashes, group).tolist() == wanted.tolist()
    assert near_pairs(hashes[:0], group[:0]).shape == (0, 2)


def test_the_hash_does_not_see_brightness_and_tells_faces_apart(faces: list[np.ndarray]) -> None:
    hashes = [perceptual_hash(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)) for face in faces]
    assert np.median([(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]]) > 2 * RADIUS
    darker = cv2.cvtColor(faces[0], cv2.COLOR_RGB2GRAY) // 2
    assert (perceptual_hash(darker) ^ hashes[0]).bit_count() <= RADIUS


def test_broken_crops_are_in_no_pair(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    manifest = Manifest(manifest_of(*(row(f"{number}.png") for number in range(3))).table, tmp_path)
    found = find_duplicates(manifest.table, look_at(manifest, np.arange(3), 1))
    assert [len(part) for part in found] == [0, 0, 0, 0, 0]
