"""The command `demo`: every stage on photographs of the package, or on drawn faces."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import difffake
from difffake.anomaly.file import FILE as MODEL
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
from difffake.models.lite import LITE0, lite_file
from difffake.progress import console

EXAMPLES = ("difffake demo", "difffake demo --out demo --seed 1", "difffake demo --drawn --out demo-drawn")
PHOTOGRAPHS = Path(difffake.__file__).parent / "london"
SIZE = 160  # of the crops in pixels
SEEN, UNSEEN = ("faceswap",), ("alpha_swap", "reenact")
DRAWN_SEEN, DRAWN_UNSEEN = ("alpha_swap",), ("faceswap", "reenact")
COPIES = 10  # forgeries of each training photograph, each with another source


class Made(NamedTuple):
    """The config of the training, and the manifests to train and to test on."""

    config: str
    train: list[Path]
    test: list[Path]


def demo(
    out: Path = Path("demo"), drawn: bool = False, seed: Annotated[int, AtLeast(0)] = 0, overwrite: bool = False
) -> None:
    """Run every stage on the package's photographs and print the table; needs a CPU only, no data, no downloads.

    Photographs of 102 people (Face Research Lab London Set, CC BY 4.0) are forged with three methods. A detector is
    trained on one of the methods and tested on other people, with that method and the two others. The forgeries are
    this project's own, so the numbers say nothing about other deepfakes. To continue a demo that was stopped, run the
    same command again.

    Args:
        out: folder to write: data/, run/, evaluation/, results.json, report.html.
        drawn: draw the faces instead, and train with the guide branch and the package's small diffusion model of drawn
            faces; the unseen methods then come with another camera.
        seed: random seed of all stages.
        overwrite: replace an existing demo folder.
    """
    start = time.perf_counter()
    kind = "drawn faces" if drawn else "photographs"
    with continued_folder(out, f"difffake {difffake.__version__}, {kind}, seed {seed}", overwrite):
        try:
            _run(out, _drawn if drawn else _photographs, seed)
        except Terminated as stop:  # its text names an option of fit, which demo does not have
            raise Terminated("stopped; run the same command again to continue") from stop
    console.print(f"done in {time.perf_counter() - start:.0f} s: open {out / 'report.html'}")


def _run(out: Path, make: Callable[[Path, int], Made], seed: int) -> None:
    """All stages, into the folder `out`."""
    console.rule("1 of 4: forge faces", align="left")
    made = make(out / "data", seed)

    console.rule("2 of 4: train the detector", align="left")
    run = out / "run"
    manifests = ",".join(f'"{path}"' for path in made.train)
    options = {
        "config": shipped(f"configs/{made.config}"), "data.manifest": f"[{manifests}]", "out": run,
        "seed_everything": seed, "resume": run.exists(),
    }  # fmt: skip
    fit([f"--{name}={value}" for name, value in options.items()])

    console.rule("3 of 4: fit the mixture on natural differences, and calibrate", align="left")
    ckpt = run / "best.ckpt"
    if not (run / MODEL).is_file():
        fit_anomaly(ckpt, made.train, covariance="diag", seed=seed)
    if not (run / FILE).is_file():
        calibrate(ckpt, made.train, seed=seed)

    console.rule("4 of 4: evaluate on seen and unseen forgeries", align="left")
    evaluation = out / "evaluation"
    if not evaluation.is_dir():
        evaluate(made.test, evaluation, ckpt, seed=seed)
    write_report([evaluation], out / "report.html", overwrite=True)
    shutil.copy(evaluation / "results.json", out / "results.json")


def _photographs(folder: Path, seed: int) -> Made:
    """Forge the photographs: people to test on with every method, the others with one, those to train on often."""
    lite_file(LITE0, "tf_efficientnet_lite0")  # the training starts from it; that it is missing is said before the work
    train, val, test = (folder / f"london-{split}" for split in ("train", "val", "test"))
    if not train.is_dir():
        forge(PHOTOGRAPHS, SEEN, train, size=SIZE, split="train", copies=COPIES, seed=seed)
    # These are so few that they are done here before processes would have started.
    if not val.is_dir():
        forge(PHOTOGRAPHS, SEEN, val, size=SIZE, split="val", workers=1, seed=seed)
    if not test.is_dir():
        forge(PHOTOGRAPHS, SEEN + UNSEEN, test, size=SIZE, split="test", workers=1, seed=seed)
    return Made("demo.yaml", [train, val], [test])


def _drawn(folder: Path, seed: int) -> Made:
    """Draw two sets of people and forge them, one with the method of the training, one with the others."""
    sets = ((DRAWN_A, DRAWN_SEEN), (DRAWN_B, DRAWN_UNSEEN))
    seen, unseen = (
        draw_and_forge(folder, dataset, methods, seed + number) for number, (dataset, methods) in enumerate(sets)
    )
    return Made("demo-drawn.yaml", [seen], [seen, unseen])


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
