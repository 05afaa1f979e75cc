"""The command `serve`: a page in the browser that checks pictures and clips."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from difffake.commands.parse import AtLeast
from difffake.errors import UserError
from difffake.progress import console

EXAMPLES = (
    "difffake serve",
    "difffake serve --ckpt runs/lfw/best.ckpt",
    "difffake serve --ckpt runs/lfw/best.ckpt --port 8000 --limit-mb 50 --limit-seconds 120",
)


def serve(
    ckpt: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    limit_mb: Annotated[float, AtLeast(1)] = 200,
    limit_seconds: Annotated[float, AtLeast(1)] = 600,
    frames: Annotated[int, AtLeast(1)] = 32,
    seconds: float | None = None,
    landmarker: Path | None = None,
    calibration: str = "auto",
    anomaly: str = "auto",
    false_alarms: float | None = None,
    device: str = "auto",
    imports: list[str] | None = None,
) -> None:
    """Serve a web page on which people drop a picture or a clip and see what the detector says.

    Args:
        ckpt: checkpoint of difffake fit, the run folder, whose best.ckpt is used, or a model folder of difffake
            publish; or its OWNER/NAME on the Hugging Face Hub. By default, the weak detector of the package.
        host: address to listen at. Only this machine reaches the default one. The page has no passwords, so choose
            another address only in a network whose users you trust.
        port: port to listen at; 0 takes any free one.
        limit_mb: largest upload, in megabytes.
        limit_seconds: longest clip, in seconds.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        seconds: time per video after which no further frame is begun, so that the answer comes soon; by default, all
            frames are scored.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        anomaly: file of difffake fit-anomaly, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists. With it, files can be compared with real images of the person.
        false_alarms: promised rate of false alarms, which needs a calibration, as for difffake predict.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder is in one of them.
    """
    if find_spec("gradio") is None:
        raise UserError("the web page needs Gradio, which is not installed: pip install 'difffake[serve]'")
    from difffake.predict.predictor import Predictor
    from difffake.serve.server import bound, is_loopback
    from difffake.serve.server import serve as run
    from difffake.serve.uploads import Limits

    with (
        bound(host, port) as listening,  # before the detector is loaded, which takes seconds
        Predictor.from_pretrained(
            ckpt, imports=imports or (), landmarker=landmarker, frames=frames, seconds=seconds, device=device,
            calibration=calibration, anomaly=anomaly, false_alarms=false_alarms,
        ) as predictor,
    ):  # fmt: skip
        if not is_loopback(host):
            console.print(
                f"warning: whoever reaches {host} over the network can use this page, which has no passwords and no "
                "encryption"
            )
        run(predictor, Limits(limit_mb, limit_seconds), listening, host)
