"""The command `export`: a detector as a file for other programs."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from rich.console import Console

from difffake.commands.parse import AtLeast
from difffake.errors import UsageError, UserError
from difffake.files import refuse_existing_file, staged_file
from difffake.predict.hub import find_model

EXAMPLES = (
    "difffake export --out detector.onnx",
    "difffake export --ckpt runs/lfw --out runs/lfw/detector.onnx",
    "difffake export --ckpt runs/lfw --out detector-int8.onnx --int8 --manifest data/dfdc",
    "difffake export --ckpt runs/lfw --out detector.pt2 --format torch",
)
SUFFIX = {"onnx": ".onnx", "torch": ".pt2"}


def export(
    out: Path,
    ckpt: str | None = None,
    format: Literal["onnx", "torch"] = "onnx",
    int8: bool = False,
    manifest: Path | None = None,
    limit: Annotated[int, AtLeast(0)] = 1000,
    imports: list[str] = [],  # noqa: B006  # never changed
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Write a detector as an ONNX file, which runs without torch, or as a program of torch.export.

    Its input are crops of faces, (batch, 3, side, side) uint8 RGB, at the detector's side and for any batch; the
    normalization is inside. Its outputs are logit (batch,) and embedding (batch, D). The file is compared with the
    checkpoint, and its speed with torch's.

    Args:
        out: file to write, .onnx or .pt2. The checkpoint's calibration.json and anomaly.safetensors are copied beside
            it, where difffake predict --onnx looks for them; not with --int8, which gives other scores.
        ckpt: checkpoint of difffake fit, run folder, whose best.ckpt is used, or model folder of difffake publish; or
            its OWNER/NAME on the Hugging Face Hub. By default, the weak detector of the package.
        format: onnx, or torch for a program of torch.export.
        int8: write int8 weights and activations, which are faster and less exact. Needs --manifest.
        manifest: data set for --int8. Crops of its split train give the ranges of the activations; its split test, or
            val, measures the loss of AUC.
        limit: number of faces that measure the loss of AUC; 0 takes all.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        seed: random seed of the choice of faces.
        overwrite: replace an existing file.
    """
    if out.suffix != SUFFIX[format]:
        raise UsageError(f"--out {out}: the name of a file of --format {format} ends in {SUFFIX[format]}")
    if int8 and (format != "onnx" or manifest is None):
        raise UsageError("--int8 needs --format onnx and a --manifest with crops of the split train")
    inputs = [manifest] if manifest else []
    refuse_existing_file(out, overwrite, inputs)
    source = find_model(ckpt)
    refuse_existing_file(out, overwrite, [source, *inputs])

    if format == "onnx" and find_spec("onnxscript") is None:
        raise UserError("torch's ONNX exporter needs onnxscript: pip install 'difffake[onnx]'")
    # Here, because these modules take seconds to import.
    from difffake.data.manifest import Manifest
    from difffake.models.fold import fold_batch_norms
    from difffake.predict import export as work
    from difffake.predict.exportable import detector_runner
    from difffake.predict.onnx_scorer import OnnxScorer
    from difffake.predict.quantize import auc_loss, check_train, quantize

    faces = Manifest.read(manifest) if int8 and manifest else None
    if faces:
        check_train(faces)
    network, facts = work.load_exportable(source, tuple(imports))
    reference = detector_runner(network.detector)
    quick = detector_runner(fold_batch_norms(network.detector))
    say = Console(highlight=False, markup=False, soft_wrap=True).print
    with TemporaryDirectory() as folder, staged_file(out, overwrite) as partial:
        whole = Path(folder, "float32.onnx") if int8 else partial
        if format == "torch":
            work.export_torch(network, facts, whole)
            exported = work.torch_runner(whole)
        else:
            work.export_onnx(network, facts, whole)
            exported = work.onnx_runner(whole, work.threads())
        difference = work.check(reference, exported, facts)
        if faces:
            quantize(whole, facts, faces, partial, seed)
            exported = work.onnx_runner(partial, work.threads())
            loss = auc_loss(OnnxScorer(whole), OnnxScorer(partial), faces, limit, seed)
        measured = [work.speeds(quick, exported, facts.image_size, batch) for batch in (1, 32)]
    side = facts.image_size
    kept = [] if int8 else work.copy_companions(source, out.parent)  # an int8 file gives other scores
    say(f"{out}: {facts.encoder}, images (batch, 3, {side}, {side}) uint8, {out.stat().st_size / 1e6:.1f} MB")
    say(
        f"largest difference from the checkpoint{' (before int8)' if int8 else ''}: logit {difference.logit:.1g}, "
        f"embedding {difference.embedding:.1g} of its largest number"
    )
    for speed in measured:
        say(f"images/s in batches of {speed.batch}: {speed}")
    for line in kept:
        say(line)
    say(f"CPU threads of both: {work.threads()}; in brackets, quartiles over the calls")
    if int8:
        say(str(loss) if loss else f"{manifest} has no split test or val with reals and fakes: no loss of AUC measured")
