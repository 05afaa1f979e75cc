"""What a guide rebuilds: which faces, from which noise, by which condition."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import TinyRun
from torch import Tensor, nn

from difffake.data.faces_to_draw import choose_rows
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners, find_partners
from difffake.data.records import exact_partners
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample, ddim_steps
from difffake.diffusion.teacher import Teacher
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.faces.images import read_image
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.reconstruction_figure import reconstruction_figure
from difffake.regularizers.guide.reconstructions import (
    Faces,
    Reconstructions,
    read_faces,
    rebuild,
    start_noise,
)


@pytest.fixture(scope="module")
def networks() -> tuple[Detector, Guide, LatentDiffusion]:
    """All with random weights, those of the guide so large that another face makes another picture."""
    torch.manual_seed(0)
    diffusion = LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    detector = build_detector(DetectorConfig("resnet10t", 64)).eval()
    guide = Guide(detector.encoder, Teacher.of(diffusion), feature_filter="none").eval()
    for part in (guide.copy.controlnet_down_blocks, guide.copy.controlnet_mid_block):
        for parameter in part.parameters():
            nn.init.normal_(parameter, std=0.3)
    for condition in (guide.source_filter, guide.target_filter):
        nn.init.normal_(condition.out.weight, std=2)
    return detector, guide, diffusion


@pytest.fixture(scope="module")
def faces() -> Faces:
    rng = np.random.default_rng(0)
    image, source, target = torch.from_numpy(rng.integers(256, size=(3, 2, 3, 64, 64), dtype=np.uint8)).unbind(0)
    return Faces(["alpha_swap", "real"], image, source, target)


def rebuilt(networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces, seed: int = 0) -> Reconstructions:
    return rebuild(*networks, faces, noises=2, steps=3, seed=seed, batch_size=3)


def test_the_seed_decides_the_noise_and_nothing_else_does(
    networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces
) -> None:
    first = rebuilt(networks, faces)
    torch.manual_seed(99)
    again, other = rebuilt(networks, faces), rebuilt(networks, faces, seed=1)
    for branch in ("source", "target"):
        assert torch.equal(getattr(first, branch), getattr(again, branch))
        assert not torch.equal(getattr(first, branch), getattr(other, branch))
    assert torch.equal(start_noise(networks[2], 8, 3, 0)[:2], start_noise(networks[2], 8, 2, 0))
    assert start_noise(networks[2], 8, 3, 0).flatten(1).std(dim=1).sub(1).abs().max() < 0.2


@pytest.mark.parametrize(("face", "number", "branch"), [(0, 1, "target"), (1, 0, "source"), (1, 1, "target")])
def test_each_picture_is_of_its_own_face_branch_and_noise(
    networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces, face: int, number: int, branch: str
) -> None:
    """Against sampling it alone."""
    detector, guide, diffusion = networks
    with torch.no_grad():
        found = guide.conditions(detector(faces.image / 255).features, (8, 8))

        def predict(latents: Tensor, timestep: Tensor) -> Tensor:
            condition, weight = (getattr(found, name)[[face]] for name in (branch, f"{branch}_weight"))
            return guide.predict_noise(diffusion, latents, timestep, condition, weight)

        noise = start_noise(diffusion, 8, 2, 0)[[number]]
        wanted = diffusion.decode(ddim_sample(diffusion, noise, predict, ddim_steps(diffusion, 3)))[0] * 255
    result = rebuilt(networks, faces)
    assert (getattr(result, branch)[face, number] - wanted).abs().max() < 1
    others = torch.cat([result.source, result.target]).flatten(0, 1).float()
    assert sum((picture - wanted).abs().max() < 1 for picture in others) == 1  # no other is like it
    assert getattr(result, f"{branch}_weight")[face] == pytest.approx(getattr(found, f"{branch}_weight")[face].item())
    by_hand = np.sqrt(np.square((found.source - found.target)[face].double().numpy()).sum())
    assert result.distance[face] == pytest.approx(by_hand, rel=1e-5)


def test_equal_conditions_have_no_distance_and_rebuild_the_same(
    networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, guide, diffusion = networks
    assert min(rebuilt(networks, faces).distance) > 0
    monkeypatch.setitem(guide._modules, "target_filter", guide.source_filter)
    monkeypatch.setitem(guide._modules, "target_weight", guide.source_weight)
    result = rebuilt((detector, guide, diffusion), faces)
    assert result.distance == [0, 0]
    assert result.source_weight == result.target_weight
    assert (result.source.int() - result.target.int()).abs().max() <= 1


def test_networks_stay_as_they_are(networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces) -> None:
    before = [torch.get_rng_state(), *(value.clone() for net in networks[:2] for value in net.state_dict().values())]
    rebuilt(networks, faces)
    after = [torch.get_rng_state(), *(value for net in networks[:2] for value in net.state_dict().values())]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(parameter.grad is None for net in networks[:2] for parameter in net.parameters())


def table(**columns: list[object]) -> Manifest:
    rows = len(columns["method"])
    default = dict.fromkeys(("dataset", "video", "identity", "source", "target", "compression"), "")
    filled = {**default, "split": "train", "frame": 0, "box": None, "landmarks": None} | columns
    filled["path"] = [f"{row}.png" for row in range(rows)]
    filled["label"] = [int(method != "real") for method in columns["method"]]
    return Manifest(pd.DataFrame(filled, index=range(rows)), Path())


def test_fakes_of_each_manipulation_in_turn_and_a_real_face() -> None:
    manifest = table(method=["real", "a", "a", "a", "a", "a", "b", "b", "real", "c"])
    known = np.array([True] * 9 + [False])
    partners = Partners(np.where(known, 0, -1), np.where(known, 8, -1))
    among = np.arange(1, 10)
    methods = manifest.table["method"].to_numpy()
    for seed in range(20):
        rows = choose_rows(manifest, partners, among, 4, seed)
        assert methods[rows].tolist() == ["a", "a", "b", "b", "real"]
        assert len(set(rows)) == 5
        assert rows[-1] == 8  # the other real one is not among those to choose from
    assert len({tuple(choose_rows(manifest, partners, among, 4, seed)) for seed in range(20)}) > 5
    assert len(choose_rows(manifest, partners, among, 100, 0)) == 8
    assert choose_rows(manifest, partners, np.array([8, 9]), 4, 0) == []


def test_faces_are_read_with_the_partners_that_the_forger_recorded(tiny_run: TinyRun) -> None:
    manifest = Manifest.read(tiny_run.seen)
    partners = find_partners(manifest, exact=exact_partners([manifest]))
    rows = choose_rows(manifest, partners, np.arange(len(manifest)), 4, 0)
    faces = read_faces(manifest, partners, rows, 112)  # the crops' own size, so they come unchanged
    records = pd.read_parquet(tiny_run.seen / "forgeries.parquet").set_index("path")
    for place, row in enumerate(rows):
        path = manifest.table["path"].iat[row]
        real = path not in records.index
        paths = (path,) * 3 if real else (path, *records.loc[path, ["source_path", "target_path"]])
        for picture, name in zip((faces.image, faces.source, faces.target), paths, strict=True):
            np.testing.assert_array_equal(picture[place].permute(1, 2, 0), read_image(tiny_run.seen / name))
        assert faces.names[place] == ("real" if real else records.loc[path, "method"])


def test_the_sheet_has_every_picture_and_number(
    networks: tuple[Detector, Guide, LatentDiffusion], faces: Faces
) -> None:
    result = rebuilt(networks, faces)
    axes = reconstruction_figure({"training": result, "unseen": result}).axes
    assert len(axes) == 2 * 2 * (3 + 2 + 2)
    first_row = axes[:7]
    titles = ["image", "source", "target", *(f"{kind}\nrebuilt {n}" for kind in ("source", "target") for n in (1, 2))]
    assert [axis.get_title() for axis in first_row] == titles
    assert first_row[0].get_xlabel().endswith(f"\n{float(result.distance[0]):.0f}")
    assert result.distance[0] > 100  # so that it has no decimals
    assert first_row[1].get_xlabel().endswith(f"{float(result.source_weight[0]):.2f}")
    assert first_row[2].get_xlabel().endswith(f"{float(result.target_weight[0]):.2f}")
    pictures = [faces.image[0], faces.source[0], faces.target[0], *result.source[0], *result.target[0]]
    for axis, picture in zip(first_row, pictures, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), picture.permute(1, 2, 0))
