"""Commands that several processes share: torchrun, gloo on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from processes import difffake, free_port
from tiny import TinyRun
from torch.nn import functional

from difffake import distributed
from difffake.anomaly.storage import load_anomaly
from difffake.commands.main import main
from difffake.data.batches import to_unit
from difffake.launched import launched
from difffake.models.checkpoint import load_detector
from difffake.training.datamodule import FaceData


def torchrun(*command: str, nodes: int = 1, processes: int = 2) -> None:
    """Run a command by torchrun, on "nodes" that meet on the loopback interface."""
    port = free_port()
    started = [
        subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--nproc-per-node={processes}",
                f"--node-rank={node}", "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "difffake",
                *command,
            ],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in range(nodes)
    ]  # fmt: skip
    for process in started:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said


def test_two_ranks_fit_the_anomaly_model_and_evaluate_as_one_does(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Rows of scores.parquet one by one, each once; results and parameters."""
    fit = ["fit-anomaly", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tiny_run.seen), "--workers", "0"]
    fit += ["--covariance", "full", "--reg-covar", "1e-3", "--components", "2"]
    alone, shared = tmp_path / "alone.safetensors", tmp_path / "shared.safetensors"
    assert main([*fit, "--out", str(alone)]) == 0
    torchrun(*fit, "--out", str(shared))
    (one, facts), (other, other_facts) = load_anomaly(alone), load_anomaly(shared)
    np.testing.assert_allclose(other.means, one.means, rtol=1e-4, atol=1e-6)  # float32 embeddings of other batches
    assert other_facts["threshold"] == pytest.approx(facts["threshold"], rel=1e-3)

    calibrate = ["calibrate", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tiny_run.seen), "--workers", "0"]
    calibration = str(tmp_path / "calibration.json")
    assert main([*calibrate, "--anomaly", str(alone), "--out", calibration]) == 0
    odd = pd.read_parquet(tiny_run.unseen / "manifest.parquet").iloc[1:]
    assert len(odd) % 2 == 1
    odd["path"] = [(tiny_run.unseen / path).as_posix() for path in odd["path"]]
    odd.to_parquet(tmp_path / "manifest.parquet")
    evaluate = ["evaluate", "--ckpt", str(tiny_run.ckpt), "--anomaly", str(alone), "--workers", "0"]
    evaluate += ["--manifest", str(tiny_run.seen), str(tmp_path), "--resamples", "20", "--split", "test"]
    evaluate += ["--calibration", calibration]
    for pairs in ("suspect", "reference"):
        found, wanted = tmp_path / f"{pairs}-2", tmp_path / f"{pairs}-1"
        assert main([*evaluate, "--pairs", pairs, "--out", str(wanted)]) == 0
        statuses, said = difffake([*evaluate, "--pairs", pairs, "--out", str(found)], ranks=2)
        assert statuses == [0, 0], said
        a, b = (pd.read_parquet(folder / "scores.parquet") for folder in (found, wanted))
        pd.testing.assert_frame_equal(a, b, check_exact=True)
        assert set(a["score"]) == {"classifier", "anomaly", "fusion"}
        # To the last digit, all but the time and the command.
        contents = [json.loads((folder / "results.json").read_text()) for folder in (found, wanted)]
        for content in contents:
            del content["provenance"]["date"], content["provenance"]["command"]
        assert contents[0] == contents[1]


def test_two_nodes_train_as_two_processes_of_one_do(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Bit for bit, each node by a torchrun of its own; of the two processes Lightning starts the second.

    Both validate what is saved, whatever each one's own batch statistics are.
    """
    values = {
        "data.manifest": tiny_run.seen, "data.batch_size": 4, "data.workers": 0, "model.encoder": "resnet10t",
        "model.weights": "none", "model.image_size": 64, "trainer.max_epochs": 1, "trainer.limit_train_batches": 2,
        "trainer.accelerator": "cpu", "trainer.strategy": "ddp", "trainer.enable_progress_bar": "false",
    }  # fmt: skip
    fit = ["fit", *(part for name, value in values.items() for part in (f"--{name}", str(value)))]
    nodes, processes = tmp_path / "nodes", tmp_path / "processes"
    torchrun(*fit, "--trainer.num_nodes=2", "--trainer.devices=1", f"--out={nodes}", nodes=2, processes=1)
    command = [sys.executable, "-m", "difffake", *fit, "--trainer.devices=2", f"--out={processes}"]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=300)
    a, b = (torch.load(out / "last.ckpt", weights_only=True)["state_dict"] for out in (nodes, processes))
    assert all(torch.equal(a[name], b[name]) for name in b)
    assert (nodes / "metrics.csv").read_text() == (processes / "metrics.csv").read_text()
    detector, _ = load_detector(nodes / "last.ckpt")
    batches = list(FaceData(str(tiny_run.seen), image_size=64, workers=0).val_dataloader())
    with torch.inference_mode():
        logits = [detector(to_unit(batch["image"])).logit.double() for batch in batches]
    label = torch.cat([batch["label"] for batch in batches]).double()
    wanted = functional.binary_cross_entropy_with_logits(torch.cat(logits), label)
    logged = pd.read_csv(nodes / "metrics.csv")["val/loss"].dropna()
    assert logged.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_groups_are_dealt_whole_and_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.repeat([f"video {number}" for number in range(9)], [50, 3, 7, 20, 20, 1, 9, 30, 10])
    shares = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(distributed, "ranks", lambda: 3)
        shares.append(distributed.own_rows(groups))
    assert sorted(np.concatenate(shares)) == list(range(150))
    assert [len(share) for share in shares] == [50, 50, 50]
    names = [set(groups[share]) for share in shares]
    assert sum(map(len, names)) == 9


def test_only_srun_starts_several_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch script has SLURM_NTASKS too, but is one process."""
    for name in [name for name in os.environ if name.startswith(("SLURM", "TORCHELASTIC"))]:
        monkeypatch.delenv(name)
    assert launched() is None
    batch = {"SLURM_JOB_ID": "17", "SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    batch |= {"SLURM_NODELIST": "gpu[03-04]", "SLURM_JOB_NAME": "sweep", "SLURM_NODEID": "0"}
    for name, value in batch.items():
        monkeypatch.setenv(name, value)
    assert launched() is None
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    monkeypatch.setenv("SLURM_PROCID", "5")
    monkeypatch.setenv("SLURM_LOCALID", "1")
    found = launched()
    assert found is not None
    assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_RANK"]) == ("5", "8", "1")
    assert found["MASTER_ADDR"] == "gpu03"
