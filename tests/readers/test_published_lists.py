"""Readers on the published lists themselves: trees of empty files with every name that a list has."""

import json
import shutil
from collections import Counter
from pathlib import Path

from trees import grow

from difffake.data.splits import choose_splits
from difffake.readers.ffpp import missing_ffpp, read_ffpp


def test_faceforensics_has_720_140_and_140_videos(shared_data: Path, tmp_path: Path) -> None:
    fakes = []
    for split in ("train", "val", "test"):
        shutil.copy(shared_data / "ffpp" / f"{split}.json", tmp_path)
        for one, two in json.loads((tmp_path / f"{split}.json").read_text()):
            fakes += [f"{one}_{two}", f"{two}_{one}"]
    grow(tmp_path, *(f"original_sequences/youtube/c23/videos/{number:03d}.mp4" for number in range(1000)))
    grow(tmp_path, *(f"manipulated_sequences/{m}/c23/videos/{f}.mp4" for m in ("Deepfakes", "FaceSwap") for f in fakes))
    items = read_ffpp(tmp_path)
    assert missing_ffpp(tmp_path, items) == ""
    counts = Counter((item.method, item.split) for item in items)
    assert {key: counts[key] for key in sorted(counts)} == {
        (method, split): number
        for method in ("Deepfakes", "FaceSwap", "real")
        for split, number in (("test", 140), ("train", 720), ("val", 140))
    }
    assert choose_splits(items, "ffpp", (0, 0, 1), None, 0) == [item.split for item in items]  # no leak among them
