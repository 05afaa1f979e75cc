"""Fixtures that several tests use."""

from pathlib import Path

import pytest
from tiny import TinyRun


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
