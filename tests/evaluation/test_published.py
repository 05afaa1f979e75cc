import numpy as np
import pytest

from difffake.evaluation.published import published, published_tables

ROW = {"dataset": "Celeb-DF", "method": "all", "compression": "", "level": "frame", "score": "classifier"}
TABLE_1 = published_tables()["diffusionfake-1"]


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
    means = 100 * np.mean([list(cell.values()) for cell in TABLE_1.rows[model].values()], axis=0)
    np.testing.assert_allclose(means, [auc, eer], atol=0.011)  # the paper rounds, or cuts, the second decimal


@pytest.mark.parametrize("name", ["Celeb-DF", "celeb_df", "CelebDF-v2", "WildDeepfake", "DFDC-P", "dfd", "DiffSwap"])
def test_benchmarks_are_known_however_they_are_spelt(name: str) -> None:
    assert sum(found.source == TABLE_1.source for found in published(ROW | {"dataset": name})) == 4


@pytest.mark.parametrize("name", ["dfdc_faces", "Celeb-DF-v1", "FF++", "drawn-unseen", "my Celeb-DF", ""])
def test_other_data_sets_have_no_published_numbers(name: str) -> None:
    assert published(ROW | {"dataset": name}) == []


@pytest.mark.parametrize("change", [{"score": "anomaly"}, {"score": "fused"}])
def test_another_score_is_not_compared(change: dict) -> None:
    assert published(ROW | change) == []


def test_levels_and_data_sets_of_like_names_are_not_mixed() -> None:
    videos, frames = published(ROW | {"level": "video"}), published(ROW)
    assert {found.model: found.numbers for found in videos}["GenD (arXiv 2508.06248)"] == {"auc": pytest.approx(0.965)}
    assert not {found.source for found in videos} & {found.source for found in frames}
    dfdc = {found.model: found.numbers["auc"] for found in published(ROW | {"dataset": "dfdc"})}
    assert dfdc["ForAda"] == pytest.approx(0.843)
    assert "ViT-B" not in dfdc  # its number is of the preview


def test_means_of_the_eight_methods_are_those_the_paper_prints() -> None:
    rows = published_tables()["df40-video"].rows
    means = {model: np.mean([cell["auc"] for cell in cells.values()]) for model, cells in rows.items()}
    assert means == pytest.approx({"Effort": 0.940, "CDFA": 0.781, "ProDet": 0.867, "SBI": 0.766}, abs=0.00051)
