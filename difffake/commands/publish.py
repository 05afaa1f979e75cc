"""The command `publish`: a model folder with its card, from a checkpoint and its results."""

from pathlib import Path

from difffake.models.model_folder import Dtype
from difffake.predict.hub import check_name
from difffake.predict.hub import push as upload
from difffake.predict.publish import publish as write_folder
from difffake.progress import console

EXAMPLES = (
    "difffake publish --ckpt runs/lfw --out models/lfw --results results",
    "difffake publish --ckpt runs/lfw --out models/lfw --results results --dtype float16 --license cc-by-4.0",
    "difffake publish --ckpt models/lfw --out models/lfw-16 --dtype float16 --push ann/lfw-detector",
)


def publish(
    ckpt: Path,
    out: Path,
    results: list[Path] = [],  # noqa: B006  # never changed
    name: str = "",
    license: str = "",
    data_licenses: list[str] = [],  # noqa: B006
    dtype: Dtype | None = None,
    anomaly: str = "auto",
    calibration: str = "auto",
    push: str | None = None,
    private: bool = False,
    imports: list[str] = [],  # noqa: B006
    overwrite: bool = False,
) -> None:
    """Write a folder that others can use: weights, anomaly model, calibration and a model card with the results.

    The card says what the detector was trained and measured on, its limits, and what it must not be used for. Its
    numbers are those of the results, the checkpoint and the calibration. Loading the folder runs no code from it.

    Args:
        ckpt: checkpoint of difffake fit, or the run folder; or a model folder, of which everything is kept that is not
            given here.
        out: folder to write.
        results: folders of difffake evaluate with this detector.
        name: name of the detector; by default that of --push, else that of the folder.
        license: license of the weights as the Hugging Face Hub writes it, such as cc-by-4.0.
        data_licenses: lines for the card about the licenses of the training data, one for each data set.
        dtype: type of the weights on disk, float32 or float16, which halves the file and rounds the weights; by default
            as they are.
        anomaly: file of difffake fit-anomaly, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        push: OWNER/NAME on the Hugging Face Hub to upload the folder to; hf auth login stores the token for it.
        private: nobody else can see a new repository on the Hub.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        overwrite: replace an existing folder.
    """
    if push:
        check_name(push)
    write_folder(
        ckpt, out, results, name or push or "", license, data_licenses, dtype, anomaly, calibration, imports, overwrite
    )
    size = sum(file.stat().st_size for file in out.iterdir())
    console.print(f"wrote {out} ({size / 1e6:.1f} MB): read its README.md before you give it to others")
    if push:
        console.print(f"uploaded: {upload(out, push, private=private or None)}")
