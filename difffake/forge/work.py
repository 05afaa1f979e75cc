"""Forging of one clip or still in one process: from real faces to files and rows."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
import torch

from difffake.data.keys import FORGED
from difffake.data.manifest import Manifest
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.faces.images import read_image, write_png
from difffake.files import staged_file
from difffake.forge.method import Method, Network
from difffake.forge.methods import METHODS
from difffake.forge.pairing import Clip
from difffake.forge.task import Found, Frame, People, Settings, Task
from difffake.forge.tools.bottleneck import Bottleneck, load_network
from difffake.forge.tools.compression import CRF, compress
from difffake.forge.tools.face import FaceImage, Forged, Forgery, Mask, Points, Unfit, face_width
from difffake.randomness import named_generator
from difffake.readers.item import REAL

LANDMARK_ERROR = 0.004
"""Standard deviation of simulated landmark errors, as a share of the face's width; forged faces tremble slightly."""


class Worker:
    """Forges tasks into `folder`, with the networks of the run."""

    def __init__(self, manifest: Manifest, settings: Settings, folder: Path) -> None:
        self.manifest = manifest
        self.frame_of: list[int] = manifest.table["frame"].tolist()
        self.settings = settings
        self.folder = folder
        # The last method, pair of people and their network; clips of the same pair of people follow each other.
        self.last: tuple[str, People, Bottleneck] | None = None
        self.networks: dict[str, Bottleneck] = {
            path.stem: load_network(path) for path in sorted((folder / "networks").glob("*.safetensors"))
        }

    @cached_property
    def diffusion(self) -> LatentDiffusion:
        """The frozen model of the settings, loaded at its first use."""
        return load_diffusion(DiffusionConfig(self.settings.diffusion))

    def __call__(self, name: str, tasks: Sequence[Task]) -> int:
        """Do the tasks of one unit, then write its rows to units/NAME.json, which marks it as done.

        Returns the number of forged crops.
        """
        found = Found()
        with one_thread():
            for task in tasks:
                self._forge(task, found)
        with staged_file(self.folder / "units" / f"{name}.json") as new:
            new.write_text(json.dumps(vars(found)))
        return len(found.forgeries)

    def _forge(self, task: Task, found: Found) -> None:
        clip, pair = task.clip, task.pair
        targets = [self.face(row) for row in clip.rows]
        real = [
            Frame(row, i, Forged(face.image, np.zeros((0, 0), np.float32), face.landmarks, {}))
            for i, (row, face) in enumerate(zip(clip.rows, targets, strict=True))
        ]
        if task.copy == 0:
            self._write_crops(task, REAL, clip.name, real, found)
        if pair is None:
            return
        sources = [self.face(row) for row in pair.source_rows]
        for name in self.settings.methods:
            method = METHODS[name]
            try:
                forge = self._forgery(method, task)
            except Unfit as reason:
                found.skipped.append({"target": clip.name, "frame": None, "method": name, "reason": str(reason)})
                continue
            frames = list(self._frames(name, forge, task, targets, sources, found))
            if frames:
                source = clip if method.sourceless else pair.source
                self._write_crops(task, name, source.name, frames, found)
                source_rows = clip.rows if method.sourceless else pair.source_rows
                self._write_records(task, name, source, source_rows, frames, found)

    def _frames(
        self, method: str, forge: Forgery, task: Task, targets: list[FaceImage], sources: list[FaceImage], found: Found
    ) -> Iterator[Frame]:
        """Yield the frames that can be forged; add the others to the skipped rows."""
        clip, copy = task.clip, [str(task.copy)] if task.copy else []
        for number, (row, target, source) in enumerate(zip(clip.rows, targets, sources, strict=True)):
            frame = self.frame_of[row]
            # The same parameters for a whole clip: every frame gets an equal generator.
            setting = named_generator(self.settings.seed, "clip", method, clip.name, *copy)
            of_frame = named_generator(self.settings.seed, "frame", method, clip.name, str(frame), *copy)
            target, source = (FaceImage(f.image, tremble(f.landmarks, of_frame)) for f in (target, source))
            try:
                yield Frame(row, number, forge(target, source, setting, of_frame))
            except Unfit as reason:
                found.skipped.append({"target": clip.name, "frame": frame, "method": method, "reason": str(reason)})

    def _forgery(self, method: Method, task: Task) -> Forgery:
        """The function of a method, with its network or the diffusion model if it needs one."""
        tools: dict[str, Bottleneck | LatentDiffusion] = {}
        if method.network:
            tools["network"] = self._network(method.name, method.network, task)
        if method.diffusion:
            tools["diffusion"] = self.diffusion
        return partial(method.forge, **tools)

    def _network(self, name: str, network: Network, task: Task) -> Bottleneck:
        """A method's trained network, or the network for the two people of a task."""
        if not enough_pictures(network, task):
            raise Unfit(f"fewer than {network.min_pictures} pictures of one of the two people")
        if network.for_pair is None:
            return self.networks[name]
        if self.last is None or self.last[:2] != (name, task.people):
            target, source = (np.stack([network.frame.patch(self.face(row)) for row in rows]) for rows in task.people)
            self.last = name, task.people, network.for_pair(self.networks[name], target, source, self.settings.seed)
        return self.last[2]

    def face(self, row: int) -> FaceImage:
        """The real face of a row of the manifest, at the size of all crops."""
        landmarks = self.manifest.landmarks(row)
        assert landmarks is not None  # `forge` uses only faces with landmarks
        return resized(FaceImage(read_image(self.manifest.file(row)), landmarks), self.settings.size)

    def _write_crops(self, task: Task, method: str, source: str, frames: list[Frame], found: Found) -> None:
        """Compress and write the crops of a clip, real or forged, and add their rows."""
        clip = task.clip
        video = f"{_numbered(method, task)}/{clip.name}" if clip.moving else ""
        for compression in self.settings.compressions:
            crops = compress([frame.made.image for frame in frames], CRF[compression])
            for crop, frame in zip(crops, frames, strict=True):
                path = self._path(f"{_numbered('crops', task)}/{compression}/{method}", clip, frame.row)
                write_png(self.folder / path, crop)
                real = self.manifest.table.iloc[frame.row]
                found.manifest.append({
                    "path": path, "dataset": FORGED + real["dataset"], "split": clip.split,
                    "label": int(method != REAL), "method": method,
                    "video": video, "frame": self.frame_of[frame.row],
                    "identity": real["identity"], "source": source, "target": clip.name, "compression": compression,
                    "margin": None if np.isnan(real["margin"]) else float(real["margin"]),
                    "box": real["box"] if isinstance(real["box"], list) else None,
                    "landmarks": [round(float(v), 3) for v in frame.made.landmarks.ravel()],
                })  # fmt: skip

    def _write_records(
        self, task: Task, method: str, source: Clip, source_rows: Sequence[int], frames: list[Frame], found: Found
    ) -> None:
        """Write the masks, and add rows with the paths of forgery, target, source and mask, and the parameters."""
        clip = task.clip
        for frame in frames:
            mask = self._path(f"{_numbered('masks', task)}/{method}", clip, frame.row)
            write_mask(self.folder / mask, frame.made.mask)
            for compression in self.settings.compressions:
                real = f"crops/{compression}/{REAL}"
                forged = self._path(f"{_numbered('crops', task)}/{compression}/{method}", clip, frame.row)
                found.forgeries.append({
                    "path": forged, "method": method, "compression": compression,
                    "target_path": self._path(real, clip, frame.row),
                    "source_path": self._path(real, source, source_rows[frame.number]), "mask_path": mask,
                    "parameters": json.dumps({name: round(v, 4) for name, v in frame.made.parameters.items()}),
                })  # fmt: skip

    def _path(self, folder: str, clip: Clip, row: int) -> str:
        frame = f"/{self.frame_of[row]:06d}" if clip.moving else ""
        return f"{folder}/{clip.name}{frame}.png"


def _numbered(name: str, task: Task) -> str:
    """A name of its own for each forgery of the same clip: the folder `crops` of the second one is `crops-2`."""
    return f"{name}-{task.copy + 1}" if task.copy else name


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenCV and torch use one thread, because processes share the cores, and sums must not depend on threads."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


def enough_pictures(network: Network, task: Task) -> bool:
    """Whether both people of a task have as many pictures as a method's network needs."""
    return min(map(len, task.people)) >= network.min_pictures


def resized(face: FaceImage, size: int) -> FaceImage:
    """Resize a face to a side of `size` pixels."""
    height, width = face.image.shape[:2]
    shrinks = size < max(height, width)
    image = cv2.resize(face.image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    scale = np.array([size / width, size / height])
    return FaceImage(image, (face.landmarks + 0.5) * scale - 0.5)


def tremble(landmarks: Points, rng: np.random.Generator) -> Points:
    """Add errors of a landmark detector to landmarks (68, 2): a common shift and small single shifts."""
    error = LANDMARK_ERROR * face_width(landmarks)
    return landmarks + rng.normal(0, error, (1, 2)) + rng.normal(0, 0.5 * error, landmarks.shape)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask (H, W) in [0, 1] as a gray PNG with 255 for 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(".png", np.round(255 * mask).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tofile(path)
