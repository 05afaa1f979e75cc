"""A testbed whose forgeries have a mask, and what is outside of it as a test wants it."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from rows import manifest_of, row

from difffake.data.manifest import Manifest
from difffake.data.records import RECORDS
from difffake.faces.images import write_png

SIDE = 80
INSIDE = slice(24, 56)


def noisy(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """The image with Gaussian noise of a standard deviation in gray levels."""
    return np.clip(image + rng.normal(0, strength, image.shape), 0, 255).astype(np.uint8)


def write_masked_testbed(root: Path, outside_noise: float, people: int = 24) -> Manifest:
    """Noise pictures of several people and a fake of each: another picture within its mask, more noise outside."""
    rng = np.random.default_rng(0)
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask[INSIDE, INSIDE] = 255
    write_png(root / "mask.png", mask)
    rows, records = [], []
    for person in range(people):
        for picture in range(2):
            small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            real = noisy(cv2.resize(small, (SIDE, SIDE)), rng, 6)
            forged = noisy(real, rng, outside_noise)
            forged[INSIDE, INSIDE] = rng.integers(0, 256, (32, 32, 3))
            for label, method, image in ((0, "real", real), (1, "m", forged)):
                path, target = f"{method}{person}-{picture}.png", f"{person}-{picture}"
                common = {"dataset": "forged-d", "split": "test", "compression": "c23", "identity": str(person)}
                rows.append(row(path, label=label, method=method, target=target, source=target, **common))
                write_png(root / path, image)
            names = {"path": f"m{person}-{picture}.png", "method": "m", "compression": "c23", "mask_path": "mask.png"}
            records.append(names | dict.fromkeys(("target_path", "source_path"), f"real{person}-{picture}.png"))
    pd.DataFrame(records).to_parquet(root / RECORDS)
    manifest = manifest_of(*rows, root=root)
    manifest.write(root / "manifest.parquet")
    return manifest
