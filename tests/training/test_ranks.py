"""Two ranks with half of the batch each do the step that one rank does with all of it; gloo on the CPU."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from processes import difffake
from tiny import GuidedRun

from difffake.commands.main import main

OPTIONS = {
    "plain": [],
    "frozen": ["--model.trainable", "last_blocks 1"],
    "guide": ["--model.regularizers.guide", "Guide"],
    "anl": ["--model.regularizers.noise_learning", "NoiseLearning"],
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_gradients_are_those_of_the_whole_batch(kind: str, guided_run: GuidedRun, tmp_path: Path) -> None:
    """By plain descent of rate 1, weights after the one step of two batches tell the gradient. The encoder has no batch
    statistics.

    Of half of the fakes the source is unknown, so ranks have unequal shares of what a guide learns from.
    """
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    table["path"] = [(guided_run.seen / path).as_posix() for path in table["path"]]
    fakes = table.index[(table["label"] == 1) & (table["split"] == "train")]
    table.loc[fakes[::2], "source"] = ""
    table.to_parquet(tmp_path / "manifest.parquet")
    values = {
        "data.manifest": tmp_path,
        "data.fakes": "manifest",
        "data.latents": tmp_path / "latents",
        "data.workers": 0,
        "model.encoder": "convnext_atto",
        "model.weights": "none",
        "model.image_size": 64,
        "model.diffusion.name": guided_run.diffusion,
        "model.optimizer.name": "sgd",
        "model.optimizer.schedule": "constant",
        "model.optimizer.lr": 1,
        "model.optimizer.momentum": 0,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 2,
        "trainer.accumulate_grad_batches": 2,
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
    }
    command = ["fit", *(part for name, value in values.items() for part in (f"--{name}", str(value))), *OPTIONS[kind]]
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert main([*command, "--out", str(alone), "--data.batch_size", "8"]) == 0
    ranks = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--data.batch_size", "4", "--out", str(shared)]
    statuses, said = difffake([*command, *ranks], ranks=2)
    assert statuses == [0, 0], said
    assert "find_unused_parameters" not in said
    found, wanted = (torch.load(out / "last.ckpt", weights_only=True)["state_dict"] for out in (shared, alone))
    assert found.keys() == wanted.keys()
    parts = {"guide": {"regularizers.guide"}, "anl": {"regularizers.noise_learning"}}.get(kind, set())
    assert {".".join(name.split(".")[:2]) for name in found} == {"detector.encoder", "detector.head"} | parts
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6, msg=lambda text, name=name: name + text)
