"""The autoencoder behind two of the methods."""

from pathlib import Path

import numpy as np
import torch
from faces import drawn

from difffake.drawn.people import Expression, Pose
from difffake.forge.tools.bottleneck import (
    LOWER_FACE,
    PATCH,
    WHOLE_FACE,
    Bottleneck,
    for_two,
    load_network,
    rebuilt,
    save_network,
    train,
)
from difffake.forge.tools.face import FaceImage
from difffake.forge.tools.warp import transform
from difffake.randomness import generator


def person(number: int, count: int) -> list[FaceImage]:
    rng = generator(number)
    return [
        drawn(
            number, Expression(mouth_open=rng.uniform(), smile=rng.uniform()), Pose(yaw=rng.normal(0, 0.08)), size=112
        )
        for _ in range(count)
    ]


def patches(faces: list[FaceImage]) -> np.ndarray:
    return np.stack([WHOLE_FACE.patch(face) for face in faces])


def untrained() -> Bottleneck:
    torch.manual_seed(0)
    return Bottleneck(4, 32)


def test_patches_of_any_pose_and_size_are_aligned() -> None:
    for frame in (WHOLE_FACE, LOWER_FACE):
        for face in (drawn(0), drawn(0, pose=Pose(roll=0.3, shift_x=0.1), size=300)):
            assert frame.patch(face).shape == (3, PATCH, PATCH)
            mouth = transform(face.landmarks[48:68], frame.matrix(face.landmarks))
            assert abs(mouth[:, 0].mean() - PATCH / 2) < 4
            assert mouth.min() > 0
            assert mouth.max() < PATCH
    small, large = (WHOLE_FACE.patch(drawn(0, size=size)) for size in (112, 336))
    assert np.abs(small - large).mean() < 0.03


def test_training_learns_and_depends_on_the_seed_alone() -> None:
    faces = patches(person(0, 12))

    def error(network: Bottleneck) -> float:
        with torch.inference_mode():
            return float((network(torch.from_numpy(faces)) - torch.from_numpy(faces)).abs().mean())

    assert error(train(untrained(), faces, 40, 0)) < 0.6 * error(untrained())
    first, again, other = (error(train(untrained(), faces, 5, seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_each_of_two_decoders_draws_its_own_person() -> None:
    target, source = patches(person(0, 12)), patches(person(3, 12))
    base = train(untrained(), np.concatenate([target, source]), 30, 0)
    network = for_two(base, target, source, 40, 0)

    def error(faces: np.ndarray, decoder: int) -> float:
        with torch.inference_mode():
            return float((network(torch.from_numpy(faces), decoder) - torch.from_numpy(faces)).abs().mean())

    assert error(target, 0) < 0.8 * error(target, 1)
    assert error(source, 1) < 0.8 * error(source, 0)


def test_the_patch_is_laid_back_where_it_came_from() -> None:
    face = drawn(0, pose=Pose(roll=0.2, shift_y=0.03))

    class Copy(Bottleneck):
        def forward(self, patches: torch.Tensor, decoder: int = 0, noise: torch.Tensor | None = None) -> torch.Tensor:
            return patches

    image, covered = rebuilt(Copy(4, 32), face, WHOLE_FACE)
    inside = covered > 0
    assert inside.mean() > 0.2
    assert np.abs(image - face.image)[inside].mean() < 6  # only resampling


def test_weights_come_back_from_the_file(tmp_path: Path) -> None:
    network = untrained().eval()
    save_network(tmp_path / "n.safetensors", network)
    again = load_network(tmp_path / "n.safetensors")
    assert not again.training
    some = torch.rand(2, 3, PATCH, PATCH)
    assert torch.equal(network(some), again(some))


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    network = untrained()
    for number in range(16):  # two entries of a header would be swapped in half of them
        save_network(tmp_path / f"{number}.safetensors", network)
    assert len({path.read_bytes() for path in tmp_path.glob("*.safetensors")}) == 1
