import hashlib
import json
import platform
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

import difffake
from difffake.evaluation.provenance import provenance


def test_versions_seed_and_fingerprints(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"abc")
    found = provenance(files=[weights], seed=7)
    assert found["difffake"] == difffake.__version__
    assert (found["torch"], found["numpy"], found["python"]) == (
        torch.__version__, np.__version__, platform.python_version(),
    )  # fmt: skip
    assert found["seed"] == 7
    assert found["files"] == [
        {"file": "…/weights.safetensors", "sha256": hashlib.sha256(b"abc").hexdigest()},
    ]
    assert datetime.fromisoformat(found["date"]).utcoffset() is not None
    json.dumps(found)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("/home/ann/run", "…/run"),
        ("/home/ann b/run", "…/run"),
        ("--out=/home/ann/run", "--out=…/run"),
        ("[/home/ann/a.csv,/home/ann/b.csv]", "[…/a.csv,…/b.csv]"),
        ("runs/a.ckpt", "runs/a.ckpt"),
        ("../runs/a.ckpt", "../runs/a.ckpt"),
        ("--seed", "--seed"),
    ],
)
def test_the_command_names_no_home_folder(argument: str, expected: str) -> None:
    found = provenance(command=["/home/ann/.venv/bin/difffake", "evaluate", argument])
    assert found["command"] == ["difffake", "evaluate", expected]


def test_paths_below_the_working_folder_stay_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert provenance(command=["difffake", f"{tmp_path}/runs/a"])["command"] == ["difffake", "runs/a"]


def test_neither_host_nor_home_is_in_it() -> None:
    text = json.dumps(provenance())
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert not platform.node() or platform.node() not in text
