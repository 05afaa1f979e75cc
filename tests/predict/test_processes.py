"""`Predictor` in a process of its own: what it imports, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

from drawn_clips import drawn
from tiny import TinyRun

from difffake.faces.images import write_png


def test_importing_difffake_is_instant() -> None:
    code = "import sys, difffake; print(sorted({'torch', 'numpy', 'cv2', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


HEAVY = {
    "lightning", "pandas", "scipy", "sklearn", "matplotlib", "diffusers", "transformers", "torchvision", "wandb",
    "timm", "sympy", "jsonargparse", "huggingface_hub", "difffake.training", "difffake.regularizers", "torch._dynamo",
}  # fmt: skip
FORGOTTEN = f"""
import sys
from difffake import Predictor
predictor = Predictor(sys.argv[1], landmarker=sys.argv[3], cropped=sys.argv[4] == "cropped", device="cpu")
print(predictor.predict(sys.argv[2]).kind)
print(sorted({HEAVY} & set(sys.modules)))
"""


def forgotten(ckpt: Path, image: Path, landmarker: Path, how: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """The guide's example in a process that ends without closing.

    Args:
        ckpt: the checkpoint.
        image: the picture.
        landmarker: MediaPipe's model.
        how: "cropped" for a picture that is a crop.
        cache: folder of programs.
    """
    command = [sys.executable, "-c", FORGOTTEN, str(ckpt), str(image), str(landmarker), how]
    environment = os.environ | {"DIFFFAKE_CACHE": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_prediction_imports_only_what_it_needs(tiny_run: TinyRun, tmp_path: Path) -> None:
    """The first time, when the detector's program is made, and the second time."""
    write_png(tmp_path / "a.png", drawn(1)[0])
    for _ in range(2):
        answer = forgotten(tiny_run.ckpt, tmp_path / "a.png", tmp_path / "none.task", "cropped", tmp_path / "cache")
        assert (answer.stdout, answer.stderr) == ("image\n[]\n", "")


def test_a_predictor_that_is_forgotten_ends_quietly(
    tiny_run: TinyRun, tmp_path: Path, shared_data: Path, landmarker: Path
) -> None:
    portrait = shared_data / "london" / "001" / "neutral.jpg"
    answer = forgotten(tiny_run.ckpt, portrait, landmarker, "whole", tmp_path)
    assert (answer.stdout, answer.stderr) == ("image\n[]\n", "")
