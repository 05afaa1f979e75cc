import numpy as np
import pytest

from difffake.evaluation.published import PUBLISHED, published

ROW = {"dataset": "Celeb-DF", "method": "all", "level": "frame", "score": "classifier"}


@pytest.mark.parametrize(
    ("model", "auc", "eer"),
    [
        ("EfficientNet-B4", 75.80, 31.19),
        ("EfficientNet-B4 + DiffusionFake", 81.88, 25.97),
        ("ViT-B", 77.44, 30.24),
        ("ViT-B + DiffusionFake", 83.78, 25.17),
    ],
)
def test_means_are_those_the_paper_prints(model: str, auc: float, eer: float) -> None:
    means = 100 * np.mean(list(PUBLISHED[model].values()), axis=0)
    np.testing.assert_allclose(means, [auc, eer], atol=0.011)  # the paper rounds, or cuts, the second decimal


@pytest.mark.parametrize("name", ["Celeb-DF", "celeb_df", "CelebDF-v2", "WildDeepfake", "DFDC-P", "dfd", "DiffSwap"])
def test_benchmarks_are_known_however_they_are_spelt(name: str) -> None:
    assert len(published(ROW | {"dataset": name})) == 4


@pytest.mark.parametrize("name", ["DFDC", "dfdc_faces", "Celeb-DF-v1", "FF++", "drawn-unseen", "my Celeb-DF", ""])
def test_other_data_sets_have_no_published_numbers(name: str) -> None:
    assert published(ROW | {"dataset": name}) == {}


@pytest.mark.parametrize("change", [{"level": "video"}, {"score": "anomaly"}, {"score": "fused"}])
def test_another_level_or_score_is_not_compared(change: dict) -> None:
    assert published(ROW | change) == {}
