"""Drawn and photographed pairs of faces that several tests forge."""

from pathlib import Path

from difffake.drawn.people import Expression, Identity, Pose
from difffake.drawn.render import render_face
from difffake.faces.images import read_image
from difffake.forge.tools.face import FaceImage
from difffake.randomness import generator


def drawn(person: int, expression: Expression | None = None, pose: Pose | None = None, size: int = 160) -> FaceImage:
    """A drawn face, neutral and frontal unless told otherwise."""
    identity = Identity.sample(generator(person))
    return FaceImage(*render_face(identity, expression or Expression(), pose or Pose(), size=size))


def photographs(shared_data: Path, landmarker: Path, count: int) -> list[FaceImage]:
    """Neutral faces of the London Set, cropped as `difffake prepare` does."""
    from difffake.faces.crops import crop_face
    from difffake.faces.detection import LandmarkDetector

    faces = []
    with LandmarkDetector(landmarker) as detect:
        for folder in sorted(p for p in (shared_data / "london").iterdir() if p.is_dir())[:count]:
            image = read_image(folder / "neutral.jpg")
            crop, points, _ = crop_face(image, detect(image)[0])
            faces.append(FaceImage(crop, points))
    return faces
