"""Fixtures that several tests use."""

from pathlib import Path

import pytest
from tiny import GuidedRun, TinyRun


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
    from difffake.cli import main
    from difffake.data.procedural_dataset import DrawnDataset
    from difffake.data.procedural_people import PHONE, STUDIO
    from difffake.deploy.demo import draw_and_forge

    root = tmp_path_factory.mktemp("tiny")
    sets = (
        (DrawnDataset("drawn-a", STUDIO, (4, 2, 2), 1, 6), "alpha_swap,faceswap"),
        (DrawnDataset("drawn-b", PHONE, (0, 0, 2), 2, 6), "reenact"),
    )
    seen, unseen = (draw_and_forge(root / "data", dataset, methods, 0, 1).parent for dataset, methods in sets)
    run = TinyRun(seen, unseen, root / "run")
    arguments = {
        "config": Path(__file__).parents[1] / "configs" / "demo.yaml",
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

    from difffake.cli import main
    from difffake.models.tiny_diffusion import save_diffusion, tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae

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
        "model.guide.weight": "linear",
        "model.diffusion.name": run.diffusion,
        "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 3,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "out": run.folder,
    }
    assert main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))]) == 0
    return run
