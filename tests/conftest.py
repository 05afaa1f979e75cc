"""Fixtures that several tests use."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import GuidedRun, TinyRun

from difffake.data.manifest import Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.faces.images import write_png


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a cache of their own: programs of detectors must not fill the user's."""
    if not hasattr(config, "workerinput"):  # workers have the variable from the process that starts them
        folder = TemporaryDirectory(prefix="difffake-cache-")
        os.environ["DIFFFAKE_CACHE"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real faces, clips and deepfakes beside the repository; tests that need it are skipped without."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def landmarker(shared_data: Path) -> Path:
    """MediaPipe's face landmark model, which is not downloaded in tests."""
    model = shared_data.parent / "models" / "face_landmarker.task"
    if not model.is_file():
        pytest.skip(f"no face landmark model: {model} is absent")
    return model


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Trained for a few steps through the commands that users run, so that every stage has real inputs."""
    from difffake.commands.demo import draw_and_forge
    from difffake.commands.main import main
    from difffake.data.drawn import DrawnDataset
    from difffake.drawn.people import PHONE, STUDIO

    root = tmp_path_factory.mktemp("tiny")
    sets = (
        (DrawnDataset("drawn-a", STUDIO, (4, 2, 2), 1, 6), ["alpha_swap", "faceswap"]),
        (DrawnDataset("drawn-b", PHONE, (0, 0, 2), 2, 6), ["reenact"]),
    )
    seen, unseen = (draw_and_forge(root / "data", dataset, methods, 0, 1).parent for dataset, methods in sets)
    run = TinyRun(seen, unseen, root / "run")
    arguments = {
        "config": Path(__file__).parents[1] / "configs" / "demo-drawn.yaml",
        "data.manifest": run.seen,
        "data.fakes": "both",
        "data.batch_size": 8,
        "data.workers": 0,
        "model.image_size": 64,
        "trainer.max_epochs": 2,
        "trainer.enable_progress_bar": "false",
        "out": run.folder,
    }
    assert main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))]) == 0
    anomaly = ["--manifest", str(run.seen), "--covariance", "diag", "--components", "1", "--workers", "0"]
    assert main(["fit-anomaly", "--ckpt", str(run.ckpt), *anomaly]) == 0
    return run


@pytest.fixture(scope="session")
def guided_run(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> GuidedRun:
    """Trained with a guide for a few steps on the same fakes, taught by a frozen model with random weights."""
    import torch

    from difffake.commands.main import main
    from difffake.diffusion.tiny import save_diffusion, tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae

    root = tmp_path_factory.mktemp("guided")
    run = GuidedRun(tiny_run.seen, tiny_run.unseen, root / "run", root / "model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_diffusion(run.diffusion, tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    arguments = {
        "data.manifest": run.seen,
        "data.fakes": "manifest",
        "data.batch_size": 8,
        "data.workers": 0,
        "data.latents": root / "latents",  # not beside the manifest, which belongs to all tests
        "model.encoder": "resnet10t",
        "model.weights": "none",
        "model.image_size": 64,
        "model.optimizer.name": "adamw",
        "model.regularizers.guide": "Guide",
        "model.diffusion.name": run.diffusion,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 3,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "out": run.folder,
    }
    assert main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))]) == 0
    return run


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Six real faces in train and two in val, a fake of each but the last; a fake is one gray level all over."""
    root = tmp_path_factory.mktemp("faces")
    rows: list[dict[str, Any]] = []
    for number in range(8):
        image, landmarks = render_face(Identity.sample(np.random.default_rng(number)), size=96)
        common = dict.fromkeys(("identity", "source", "compression"), "") | {"dataset": "d", "frame": 0, "box": None}
        common |= {"split": "train" if number < 6 else "val", "target": f"original-{number}", "video": ""}
        write_png(root / f"real-{number}.png", image)
        real = {"path": f"real-{number}.png", "label": 0, "method": "real", "landmarks": landmarks.ravel().tolist()}
        rows.append(common | real)
        if number != 5:
            write_png(root / f"fake-{number}.png", np.full((96, 96, 3), 10 * number, np.uint8))
            rows.append(common | {"path": f"fake-{number}.png", "label": 1, "method": "x", "landmarks": None})
    Manifest(pd.DataFrame(rows), root).write(root / "manifest.parquet")
    return Manifest.read(root)
