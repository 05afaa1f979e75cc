"""Fixtures of the tests of the report."""

from pathlib import Path

import pytest
from score_table import several_datasets

from difffake.evaluation.pictures.write import write_pictures
from difffake.evaluation.provenance import provenance
from difffake.evaluation.results import result_rows, write_results

FFPP = [
    {"split": "train", "dataset": "ffpp", "compression": "c23", "method": method, "crops": 9000, "videos": 720}
    for method in ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
]
CONFIG = """
seed_everything: 3
trainer: {max_epochs: 12, max_steps: -1, precision: bf16-mixed}
model:
  encoder: efficientnet_b4
  weights: timm
  image_size: 224
  head: linear
  trainable: norm
  optimizer: {name: sam, lr: 0.001, schedule: cosine}
  regularizers:
    guide: {class_path: Guide, init_args: {lambda_source: 0.7, shared_noise: false}}
  diffusion: {name: "<img src=x onerror=alert(1)>"}
data: {manifest: data/ffpp, batch_size: 32}
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as `difffake evaluate` leaves it, with names that would break a careless page."""
    folder = tmp_path_factory.mktemp("runs") / "guide & <anl>"
    table = several_datasets()
    facts = provenance(seed=3, command=["difffake", "evaluate", "--out", "a b"]) | {"trained_on": FFPP, "split": "test"}
    write_results(folder, result_rows(table, {}, resamples=50), facts)
    write_pictures(table, [], folder, resamples=0)
    (folder / "config.yaml").write_text(CONFIG)
    return folder
