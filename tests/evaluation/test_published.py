import numpy as np
import pytest
from score_table import several_datasets

from difffake.evaluation.published import (
    comparable,
    published_anywhere,
    published_tables,
    training,
    training_of,
    whole_rows,
)
from difffake.evaluation.results import result_rows

ROW = {"dataset": "Celeb-DF", "method": "all", "compression": "", "level": "frame", "score": "classifier"}
TABLES = published_tables()
TABLE_1 = TABLES["diffusionfake-1"]
FFPP = training("ffpp/Deepfakes+Face2Face+FaceSwap+NeuralTextures/c23")


def entries(*methods: str, dataset: str = "ffpp", compression: str = "c23") -> list[dict]:
    """What `difffake.data.trained_on` counts for reals and these methods."""
    common = {"split": "train", "dataset": dataset, "compression": compression, "crops": 9, "videos": 3}
    return [common | {"method": method} for method in ("real", *methods)]


def shown(*rows: dict, trained: object = FFPP) -> dict[str, dict[str, float]]:
    """AUC by model and column of all tables that compare with these rows."""
    return {
        model: {title: numbers.get("auc", numbers.get("acc_at_half")) for title, numbers in line.items()}
        for found in comparable(rows, trained)  # type: ignore[arg-type]
        for model, line in found.rows.items()
    }


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
    found = [one for one in comparable([ROW | {"dataset": name}], FFPP) if one.table is TABLE_1]
    assert [len(one.rows) for one in found] == [4]
    assert published_anywhere([ROW | {"dataset": name}]) == [name]


@pytest.mark.parametrize("name", ["dfdc_faces", "Celeb-DF-v1", "my FF++", "drawn-unseen", "my Celeb-DF", ""])
def test_other_data_sets_have_no_published_numbers(name: str) -> None:
    assert comparable([ROW | {"dataset": name}], FFPP) == []
    assert published_anywhere([ROW | {"dataset": name}]) == []


@pytest.mark.parametrize("change", [{"score": "anomaly"}, {"score": "fusion"}])
def test_another_score_is_not_compared(change: dict) -> None:
    assert comparable([ROW | change], FFPP) == []


def test_levels_and_data_sets_of_like_names_are_not_mixed() -> None:
    videos, frames = shown(ROW | {"level": "video"}), shown(ROW)
    assert videos["GenD (arXiv 2508.06248)"] == {"Celeb-DF v2": pytest.approx(0.965)}
    assert not videos.keys() & {"ViT-B", "DeepfakeBench Xception"}
    assert not frames.keys() & {"GenD (arXiv 2508.06248)", "DiCoME (ICML 2026)"}
    dfdc = shown(ROW | {"dataset": "dfdc"})
    assert dfdc["ForAda"] == {"DFDC": pytest.approx(0.843)}
    assert "ViT-B" not in dfdc  # its number is of the preview


@pytest.mark.parametrize(
    "trained",
    [
        None,
        training_of([]),
        training_of(entries("Deepfakes", "Face2Face", "FaceSwap")),
        training_of(entries("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", compression="c40")),
        training_of(entries("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")),
        training_of(entries("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", dataset="forged-ffpp")),
        training_of(entries("pseudo-deepfakes", dataset="lfw", compression="")),
        training_of([*entries("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"), *entries(dataset="lfw")]),
    ],
)
def test_other_training_is_not_compared(trained: object) -> None:
    assert shown(ROW, ROW | {"level": "video"}, trained=trained) == {}


def test_a_run_with_the_protocols_training_is_compared() -> None:
    trained = training_of(entries("NeuralTextures", "Deepfakes", "FaceSwap", "Face2Face", dataset="FF++"))
    assert trained == FFPP
    assert shown(ROW, trained=trained)["ViT-B"] == {"Celeb-DF": pytest.approx(0.7464)}


def test_blended_reals_compare_with_those_trained_on_raw_videos_only() -> None:
    row = ROW | {"level": "video"}
    assert shown(row, trained=training_of(entries("pseudo-deepfakes", compression="raw"))).keys() == {"SBI"}
    assert shown(row, trained=training_of(entries("pseudo-deepfakes"))) == {}


def test_training_may_differ_between_the_rows_or_columns_of_a_table() -> None:
    rows = [ROW | {"dataset": "ffpp", "method": method, "compression": "c23"} for method in ("Deepfakes", "Face2Face")]
    one = shown(*rows, trained=training_of(entries("Deepfakes")))
    assert one == {
        "Deepfakes": {"Deepfakes": pytest.approx(0.9997), "Face2Face": pytest.approx(0.7632)},
        "Deepfakes + DiffusionFake": {"Deepfakes": pytest.approx(0.9982), "Face2Face": pytest.approx(0.7846)},
    }
    three = shown(*rows, trained=training_of(entries("Face2Face", "FaceSwap", "NeuralTextures")))
    assert three["ViT-B"] == {"Deepfakes c23": pytest.approx(0.8115)}


def test_one_manipulation_of_a_set_does_not_stand_for_all() -> None:
    alone = ROW | {"method": "one"}
    assert shown(alone)  # its only one
    assert shown(alone, ROW | {"method": "two"}) == {}


def test_every_published_number_has_its_training() -> None:
    for table in TABLES.values():
        assert set(table.trained_on) == {(model, title) for model in table.rows for title in table.columns}
        assert all(found.methods and found.dataset == "ffpp" for found in table.trained_on.values())


def test_means_of_the_eight_methods_are_those_the_paper_prints() -> None:
    rows = TABLES["df40-video"].rows
    means = {model: np.mean([cell["auc"] for cell in cells.values()]) for model, cells in rows.items()}
    assert means == pytest.approx({"Effort": 0.940, "CDFA": 0.781, "ProDet": 0.867, "SBI": 0.766}, abs=0.00051)


def test_a_whole_data_set_is_all_manipulations_or_the_only_one() -> None:
    rows = [row for row in result_rows(several_datasets(), {}, resamples=0) if row["level"] == "frame"]
    whole = {(row["dataset"], row["compression"], row["method"]) for row in whole_rows(rows)}
    assert whole == {
        ("FF++", "c23", "all"), ("FF++", "c40", "Deepfakes"),
        ("Celeb-DF", "", "synthesis"), ("drawn-unseen", "", "blend"),
    }  # fmt: skip
