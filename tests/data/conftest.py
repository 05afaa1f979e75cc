"""Fixtures of the tests of pairs and batches."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from difffake.data.images import write_png
from difffake.data.manifest import Manifest
from difffake.data.procedural import render_face
from difffake.data.procedural_people import Identity


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Six real faces in train and two in val, a fake of each but the last; a fake is one grey level all over."""
    root = tmp_path_factory.mktemp("faces")
    rows: list[dict[str, Any]] = []
    for number in range(8):
        image, landmarks = render_face(Identity.sample(np.random.default_rng(number)), size=96)
        common = dict.fromkeys(("identity", "source", "compression"), "") | {"dataset": "d", "frame": 0, "box": None}
        common |= {"split": "train" if number < 6 else "val", "target": f"original-{number}", "video": ""}
        write_png(root / f"real-{number}.png", image)
        real = {"path": f"real-{number}.png", "label": 0, "method": "real", "landmarks": landmarks.ravel().tolist()}
        rows.append(common | real)
        if number != 5:
            write_png(root / f"fake-{number}.png", np.full((96, 96, 3), 10 * number, np.uint8))
            rows.append(common | {"path": f"fake-{number}.png", "label": 1, "method": "x", "landmarks": None})
    Manifest(pd.DataFrame(rows), root).write(root / "manifest.parquet")
    return Manifest.read(root)
