"""The command `robustness`: the AUC after degradations of the pictures."""

from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console

from difffake.anomaly.scoring import read_anomaly
from difffake.commands.parse import AtLeast
from difffake.data.choice import Choice
from difffake.data.manifest import manifest_file
from difffake.distributed import rank
from difffake.errors import UserError
from difffake.evaluation.degradations import DEGRADATIONS
from difffake.evaluation.evaluate import Loading, is_testbed, read_tests
from difffake.evaluation.provenance import provenance
from difffake.evaluation.robustness import degraded_scores, limited, robustness_rows
from difffake.evaluation.robustness_files import print_robustness, write_robustness
from difffake.evaluation.testbed import NOTE
from difffake.files import refuse_existing
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.model_config import checkpoint_file
from difffake.progress import console

EXAMPLES = (
    "difffake robustness --ckpt runs/lfw --manifest data/dfdc data/celebdf --out robustness",
    "difffake robustness --ckpt runs/lfw --manifest data/dfdc --kinds jpeg h264 --limit 0 --out robustness",
    "torchrun --nproc-per-node 4 -m difffake robustness --ckpt runs/lfw --manifest data/dfdc --out robustness",
)
RANKS = True
Kind = Literal["jpeg", "h264", "blur", "noise", "resize", "brightness", "contrast", "screenshot"]


def robustness(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    anomaly: Path | None = None,
    kinds: list[Kind] = [],  # noqa: B006  # never changed
    limit: Annotated[int, AtLeast(0)] = 500,
    split: Literal["test", "val", "train", "all"] = "test",
    methods: list[str] = [],  # noqa: B006
    compressions: list[str] = [],  # noqa: B006
    resamples: Annotated[int, AtLeast(0)] = 1000,
    batch_size: Annotated[int, AtLeast(1)] = 64,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    imports: list[str] = [],  # noqa: B006
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Degrade face crops, each kind at five strengths, and report the AUC per frame and per video with 95 % intervals.

    Nothing is stored. The same seed gives the same degraded crops, whatever the number of processes.

    Args:
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        manifest: manifests to test on. None may share people, videos or crops with the training data.
        out: folder to write: robustness.json, robustness.md and pictures.
        anomaly: model of difffake fit-anomaly, to report its score of frames of the same video too.
        kinds: some of jpeg, h264, blur, noise, resize, brightness, contrast and screenshot; by default all. h264
            encodes the crops of a person in a video as one clip.
        limit: smallest number of crops of each data set, compression and class; whole videos are drawn until there are
            that many. 0 takes all, which takes as long as 41 evaluations.
        split: score only the rows of this split; all scores every row.
        methods: of the fakes, score only those of these manipulations, against all real faces.
        compressions: score only faces of these compressions, such as c23, and faces whose compression is unknown.
        resamples: number of bootstrap resamples per interval; 0 gives no intervals.
        batch_size: images per batch; it changes only speed and memory.
        workers: number of processes that load and degrade images; 0 does it in the main process.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder or the anomaly model is in one of them.
        seed: random seed of the degradations, of the choice of videos and of the bootstrap.
        overwrite: replace an existing output folder.
    """
    ckpt = checkpoint_file(ckpt)
    inputs = [ckpt, *([anomaly] if anomaly else [])]
    refuse_existing(out, overwrite, [*inputs, *manifest])
    where = choose_device(device)
    detector, info = load_detector(ckpt, where, imports)
    model = read_anomaly(anomaly, ckpt, where, imports) if anomaly else None
    known = info.training_keys | (model.training_keys if model else frozenset())
    tests, lost = read_tests(manifest, split, known, Choice(methods, compressions))
    if not any(test.table["label"].nunique() == 2 for test in tests):
        raise UserError("no manifest has both real faces and fakes, so there is no AUC: use --split all or others")
    whole = sum(map(len, tests))
    tests = [limited(test, limit, seed) for test in tests]
    chosen = sum(map(len, tests))
    if chosen < whole:
        console.print(f"{chosen} of {whole} crops are scored; --limit 0 takes all")
    loading = Loading(info.config.image_size, batch_size, workers)
    chosen_kinds = [kind for kind in DEGRADATIONS if not kinds or kind in kinds]
    rows, testbed = [], False
    for setting, scores in degraded_scores(detector, model, tests, loading, chosen_kinds, seed):
        if rank() == 0:
            rows += robustness_rows(setting, scores, resamples, seed)
            testbed = is_testbed(scores)
    if rank() > 0:
        return
    facts = provenance([*inputs, *map(manifest_file, manifest)], seed, testbed=testbed)
    facts |= {"split": split, "methods": methods, "compressions": compressions, "limit": limit}
    facts |= {"encoder": info.config.name, "training_seed": info.seed}
    notes = [*(f"{name}: {what}" for name, what in lost.items()), *([NOTE] if testbed else [])]
    write_robustness(out, rows, facts, notes, overwrite)
    print_robustness(rows, Console())
    for note in notes:
        console.print(note)
    console.print(f"robustness.json, robustness.md and pictures in {out}")
