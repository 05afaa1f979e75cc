"""Logits and embeddings of a data set, in batches."""

import numpy as np
import pytest
import torch
from tiny import TinyRun

from difffake.anomaly.scoring import score_features
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.models.checkpoint import load_detector
from difffake.models.embed import embed


@pytest.mark.parametrize("kind", ["crops", "pairs"])
def test_a_result_does_not_depend_on_what_else_is_in_its_batch(tiny_run: TinyRun, kind: str) -> None:
    """Bit for bit: all at once, and one rank's share, which fills less than a batch."""
    detector, _ = load_detector(tiny_run.ckpt)
    manifest = Manifest.read(tiny_run.seen).select(split="val").select(label=0)
    data = (
        CropDataset(manifest, 64) if kind == "crops" else PairDataset(manifest, 64, "pseudo", PseudoConfig(), None, 0)
    )
    per_sample = 1 if kind == "crops" else 2
    rows, logits, embeddings = embed(detector, data, batch_size=8, workers=0)
    assert len(rows) == len(logits) == len(embeddings) == per_sample * len(data)
    for own in ([2], [1, 5, 7], list(range(3, len(data)))):
        share = embed(detector, data, np.array(own), batch_size=8, workers=0)
        where = np.concatenate([np.arange(per_sample) + per_sample * sample for sample in own])
        np.testing.assert_array_equal(share[0], rows[where])
        np.testing.assert_array_equal(share[1], logits[where])
        np.testing.assert_array_equal(share[2], embeddings[where])


def test_an_anomaly_score_does_not_depend_on_how_many_are_computed() -> None:
    class Product:
        """A density whose sums run over many numbers, in float32, so that their order shows."""

        weights = torch.randn(300, generator=torch.Generator().manual_seed(0))

        def score(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.weights[:, None] @ self.weights[None]).square().sum(dim=1)

    features = torch.randn(700, 300, generator=torch.Generator().manual_seed(1))
    device = torch.device("cpu")
    whole = score_features(Product(), features, device)  # type: ignore[arg-type]
    for part in (slice(0, 1), slice(3, 10), slice(250, 700)):
        np.testing.assert_array_equal(score_features(Product(), features[part], device), whole[part])  # type: ignore[arg-type]
    assert score_features(Product(), features[:0], device).shape == (0,)  # type: ignore[arg-type]
