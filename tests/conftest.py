"""Fixtures that several tests use."""

from pathlib import Path

import pytest


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
