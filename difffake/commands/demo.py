"""The command `demo`: every stage on drawn faces."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import difffake
from difffake.commands.calibrate import calibrate
from difffake.commands.evaluate import evaluate
from difffake.commands.fit import fit
from difffake.commands.fit_anomaly import fit_anomaly
from difffake.commands.forge import forge
from difffake.commands.parse import AtLeast
from difffake.data.drawn import CROP_SIZE, DRAWN_A, DRAWN_B, DrawnDataset, write_drawn_faces
from difffake.errors import Terminated
from difffake.evaluation.calibration import FILE
from difffake.evaluation.report.write import write_report
from difffake.files import continued_folder, shipped
from difffake.progress import console

EXAMPLES = ("difffake demo", "difffake demo --out demo --seed 1")
CONFIG = shipped("configs/demo.yaml")


def demo(out: Path = Path("demo"), seed: Annotated[int, AtLeast(0)] = 0, overwrite: bool = False) -> None:
    """Run every stage on drawn faces and print the cross-data-set table; needs a CPU only, no data, no downloads.

    A detector is trained on one set of drawn people, with one forgery method and pseudo-deepfakes. It is tested on
    other people, with another camera and two other forgery methods. The numbers show that the pipeline works; they say
    nothing about real deepfakes. To continue a demo that was stopped, run the same command again.

    Args:
        out: folder to write: data/, run/, evaluation/, results.json, report.html.
        seed: random seed of all stages.
        overwrite: replace an existing demo folder.
    """
    start = time.perf_counter()
    with continued_folder(out, f"difffake {difffake.__version__}, seed {seed}", overwrite):
        try:
            _run(out, seed)
        except Terminated as stop:  # its text names an option of fit, which demo does not have
            raise Terminated("stopped; run the same command again to continue") from stop
    console.print(f"done in {time.perf_counter() - start:.0f} s: open {out / 'report.html'}")


def _run(out: Path, seed: int) -> None:
    """All stages, into the folder `out`."""
    console.rule("1 of 4: draw and forge faces", align="left")
    seen, unseen = (
        draw_and_forge(out / "data", dataset, methods, seed + number)
        for number, (dataset, methods) in enumerate(((DRAWN_A, ["alpha_swap"]), (DRAWN_B, ["faceswap", "reenact"])))
    )

    console.rule("2 of 4: train the detector", align="left")
    run = out / "run"
    options = {"config": CONFIG, "data.manifest": seen, "out": run, "seed_everything": seed, "resume": run.exists()}
    fit([f"--{name}={value}" for name, value in options.items()])

    console.rule("3 of 4: fit the mixture on natural differences, and calibrate", align="left")
    ckpt = run / "best.ckpt"
    if not (run / "anomaly.safetensors").is_file():
        fit_anomaly(ckpt, [seen], covariance="diag", seed=seed)
    if not (run / FILE).is_file():
        calibrate(ckpt, [seen], seed=seed)

    console.rule("4 of 4: evaluate on seen and unseen forgeries", align="left")
    evaluation = out / "evaluation"
    if not evaluation.is_dir():
        evaluate([seen, unseen], evaluation, ckpt, seed=seed)
    write_report([evaluation], out / "report.html", overwrite=True)
    shutil.copy(evaluation / "results.json", out / "results.json")


def draw_and_forge(folder: Path, dataset: DrawnDataset, methods: Sequence[str], seed: int, workers: int = 0) -> Path:
    """Draw a data set into folder/NAME-real and forge it into folder/NAME, unless folder/NAME exists.

    Args:
        folder: folder of both data sets.
        dataset: the data set to draw; it gives NAME.
        methods: forgery methods.
        seed: random seed of drawing and forging.
        workers: processes that forge; 0 is one per core.

    Returns:
        Path of the forged data set's manifest.
    """
    if (folder / dataset.name).is_dir():
        return folder / dataset.name / "manifest.parquet"
    real = write_drawn_faces(folder / f"{dataset.name}-real", dataset, seed)
    forge(real, methods, folder / dataset.name, size=CROP_SIZE, workers=workers, seed=seed)
    return folder / dataset.name / "manifest.parquet"
