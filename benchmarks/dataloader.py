"""How fast one loader process makes training samples, against decoding the same crops from JPEG alone.

    python benchmarks/dataloader.py data/ffpp --image-size 224 --crops 512
    python benchmarks/dataloader.py data/ffpp --workers 8              # also the rate of a loader with 8 processes

The ceiling is `cv2.imdecode` of the same crops at quality 95, from memory; a second one adds the scaling to the
network's size. The rates are of images: a sample is a real face and a fake. Run it before and after `difffake pack`.
The last line is one JSON object.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from difffake.data.augment import AugmentConfig
from difffake.data.batches import to_tensors
from difffake.data.datasets import CropDataset, Fakes, PairDataset
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.faces.images import read_image
from difffake.training.datamodule import FaceData

REFERENCE_KIND = "real and fake of the manifest"


def main() -> None:
    """Measure each kind of sample in turn and print images per second and their ratio to the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--crops", type=int, default=512, help="real crops that are used")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--fakes", choices=["pseudo", "manifest"], default="pseudo", help="of the loader's pairs")
    parser.add_argument("--workers", type=int, default=0, help="processes of a loader that is measured too; 0: none")
    parser.add_argument("--seconds", type=float, default=20, help="for which the loader is measured")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    manifest = Manifest.read(options.manifest)
    real = np.flatnonzero(manifest.table["label"] == 0)[: options.crops]
    crops = [read_image(manifest.file(row)) for row in real.tolist()]
    jpegs = [cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for crop in crops]

    def pairs(fakes: Fakes, augment: AugmentConfig | None) -> Callable[[], int]:
        data = PairDataset(manifest, options.image_size, fakes, PseudoConfig(), augment, seed=0)
        count = min(len(data), len(crops) // 2)
        return lambda: sum(len(data[0, index]["image"]) for index in range(count))

    faces = CropDataset(manifest, options.image_size)
    kinds: dict[str, Callable[[], int]] = {
        "ceiling: JPEG decoding alone": lambda: sum(cv2.imdecode(jpeg, cv2.IMREAD_COLOR) is not None for jpeg in jpegs),
        "JPEG decoding and scaling": lambda: len([_scaled(jpeg, options.image_size) for jpeg in jpegs]),
        "crops, as evaluation reads them": lambda: sum(len(faces[0, row]["image"]) for row in real.tolist()),
        **(
            {REFERENCE_KIND: pairs("manifest", None), "the same, augmented": pairs("manifest", AugmentConfig())}
            if manifest.table["label"].any()
            else {}
        ),
        "real and pseudo-deepfake": pairs("pseudo", None),
        "the same, augmented ": pairs("pseudo", AugmentConfig()),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(options.repeats):
        for name, work in kinds.items():
            start = time.perf_counter()
            rates[name].append(work() / (time.perf_counter() - start))
    sides = [len(crop) for crop in crops]
    print(f"{len(crops)} crops of {min(sides)} to {max(sides)} px to {options.image_size} px; images per second:")
    ceiling = statistics.median(rates["ceiling: JPEG decoding alone"])
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:34}{middle:8.0f} ({min(values):.0f} to {max(values):.0f})  {middle / ceiling:.2f} of the ceiling")
    ratio = statistics.median(rates[REFERENCE_KIND if manifest.table["label"].any() else "real and pseudo-deepfake"])
    found = {"ratio": round(ratio / ceiling, 3), "reference": "decoding the same crops from JPEG alone"}
    if options.workers:
        rate = feeding_rate(options.manifest, options.image_size, options.fakes, options.workers, options.seconds)
        print(f"a loader with {options.workers} processes, {options.fakes}, augmented: {rate:.0f} images per second")
        found |= {"loader_images_per_second": round(rate), "workers": options.workers, "fakes": options.fakes}
    print(json.dumps(found))


def feeding_rate(manifest: Path, image_size: int, fakes: Fakes, workers: int, seconds: float) -> float:
    """Images per second of the loader of `difffake fit`, after its start."""
    data = FaceData(str(manifest), fakes, image_size=image_size, workers=workers)
    batches = data.train_dataloader()
    images, start, epoch = 0, 0.0, 0
    while True:
        batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for batch in batches:
            now = time.perf_counter()
            if not start:  # the first batch came after the start of the processes
                start = now
                continue
            images += len(batch["image"])
            if now - start > seconds:
                return images / (now - start)
        epoch += 1


def _scaled(jpeg: np.ndarray, size: int) -> Tensor:
    return to_tensors([np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))], size)


if __name__ == "__main__":
    main()
