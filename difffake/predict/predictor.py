"""The user's door: scores for images and videos from a checkpoint."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from difffake.data.datasets import to_tensor, to_unit
from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image
from difffake.faces.listing import kind_of
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device


@dataclass(frozen=True)
class Prediction:
    """What the detector says of one file."""

    probability: float
    """That it is fake, in [0, 1]: the mean over frames of the sigmoid of the logit."""
    frames: int
    """How many frames with a face were scored; 1 for an image."""
    logits: list[float]
    """Of each frame, higher = more fake."""


class Predictor:
    """Finds, crops and scores faces as the detector saw them in training.

    Args:
        ckpt: checkpoint of `difffake fit`.
        landmarker: MediaPipe's face_landmarker.task; by default found as by `difffake prepare`.
        frames: how many frames of a video are scored, evenly spaced over the whole clip.
        margin: side of the crop as a multiple of the face's box; the same as in `difffake prepare`.
        device: auto, cpu, cuda or cuda:N.
    """

    def __init__(
        self, ckpt: Path, landmarker: Path | None = None, frames: int = 32, margin: float = 1.3, device: str = "auto"
    ) -> None:
        self.device = choose_device(device)
        self.detector, self.info = load_detector(ckpt, self.device)
        self.find_faces = LandmarkDetector(landmarker_model(landmarker))
        self.frames = frames
        self.margin = margin

    def predict_file(self, path: Path) -> Prediction:
        """Score an image or a video; of several faces in a frame, the largest.

        Raises `UserError` if the file cannot be read or shows no face.
        """
        if kind_of(path) == "video":
            images = [frame.image for frame in read_clip(path, self.frames).frames]
        else:
            images = [read_image(path)]
        return self.predict_images(images, str(path))

    @torch.inference_mode()
    def predict_images(self, images: list[np.ndarray], name: str = "the images") -> Prediction:
        """Score frames (H, W, 3) uint8 RGB of one face together. Raises `UserError` if none shows a face."""
        crops = []
        for image in images:
            faces = self.find_faces(image)
            if faces:
                crop = crop_face(image, faces[0], self.margin)[0]
                crops.append(to_tensor(crop, self.info.config.image_size))
        if not crops:
            raise UserError(f"{name}: no face found")
        batch = torch.stack(crops).to(self.device)
        logits = torch.cat([self.detector(to_unit(part)).logit for part in batch.split(32)]).double()
        return Prediction(float(logits.sigmoid().mean()), len(crops), logits.tolist())

    def close(self) -> None:
        """Free MediaPipe's resources."""
        self.find_faces.close()
