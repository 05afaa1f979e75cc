"""Anomaly models on disk: the same scores after reading, and one-line errors for anything else."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.anomaly.storage import load_anomaly, save_anomaly
from difffake.errors import UserError

ROWS = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))
MODELS = [
    GaussianMixture(2),
    GaussianMixture(2, "tied"),
    GaussianMixture(2, "diag"),
    GaussianMixture(2, "spherical", reg_covar=1e-4, seed=3),
    OneClassSVM(),
    OneClassSVM(0.2, 0.7),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_round_trip(tmp_path: Path, model: GaussianMixture | OneClassSVM) -> None:
    path = tmp_path / "new" / "anomaly.safetensors"
    metadata = {"combination": "square", "threshold": 0.125, "name": "ü", "sizes": [1, 2], "none": None}
    save_anomaly(path, model.fit(ROWS), metadata)
    loaded, found = load_anomaly(path)
    assert found == metadata
    assert torch.equal(loaded.score(ROWS), model.score(ROWS))
    assert loaded.state()[1] == model.state()[1]
    # Nothing is left of the file that was written aside.
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "anomaly.safetensors"
    model = GaussianMixture(2).fit(ROWS)
    written = set()
    for _ in range(8):
        save_anomaly(path, model, {"combination": "square", "threshold": 0.125})
        written.add(path.read_bytes())
    assert len(written) == 1


def test_neither_unfitted_models_nor_bad_metadata_leave_a_file(tmp_path: Path) -> None:
    path = tmp_path / "anomaly.safetensors"
    with pytest.raises(UserError, match="not fitted"):
        save_anomaly(path, GaussianMixture(), {})
    with pytest.raises(UserError, match="not JSON"):
        save_anomaly(path, MODELS[0].fit(ROWS), {"path": object()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["cut", "text", "other tensors", "other shapes", "unknown kind", "folder", "absent"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "anomaly.safetensors"
    model = GaussianMixture(2).fit(ROWS)
    save_anomaly(path, model, {})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("not a model")
    elif damage == "other tensors":
        save_file({"weight": ROWS}, path)
    elif damage == "other shapes":
        model._parameters = model.parameters._replace(means=model.means[:, :3].contiguous())
        save_anomaly(path, model, {})
    elif damage == "unknown kind":
        save_file({"weight": ROWS}, path, {"anomaly": '{"kind": "forest", "settings": {}, "metadata": {}}'})
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with pytest.raises(UserError, match=str(path)) as error:
        load_anomaly(path)
    assert "\n" not in str(error.value)
