"""The experiments at full size, each setting for one batch on drawn faces in the layout of the data sets."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows import row
from small_trees import FAKES, YOUTUBE, plant
from tiny import GuidedRun

from difffake.commands.main import main
from difffake.data.manifest import Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.faces.images import write_png
from difffake.readers.item import Item
from difffake.readers.reader import find_readers
from difffake.sweeps import one_run
from difffake.sweeps.sweep_file import command_of, read_sweep, runs_of
from difffake.swept import SEEDS

ROOT = Path(__file__).parents[2]
FULL = sorted((ROOT / "experiments" / "full").glob("*.yaml"))
SMALL = {
    "model.encoder": "resnet10t", "model.weights": "none", "model.image_size": "64", "data.batch_size": "4",
    "data.pseudo.autoencoder": "drawn-faces", "data.pseudo.twin_sizes": "[32,64]",
    "data.workers": "0", "data.latents": "none", "trainer.fast_dev_run": "true", "trainer.precision": "32-true",
    "trainer.enable_progress_bar": "false", "trainer.enable_model_summary": "false",
}  # fmt: skip
"""What replaces the options of a setting, in addition to the frozen model."""


def draw(root: Path, dataset: str, items: list[Item]) -> None:
    """Crops of each item, as `difffake prepare` would make them of its videos or images.

    Real videos without compression have 8 frames, which three Gaussians can be fitted to; other videos have two.
    """
    rows = []
    for number, item in enumerate(items):
        people = np.random.default_rng(sum(map(ord, item.target or item.video or item.name)))
        person = Identity.sample(people)
        for frame in range((8 if item.compression == "raw" and not item.label else 2) if item.is_video else 1):
            image, landmarks = render_face(person, size=96)
            path = f"crops/{item.name}_{frame}.png"
            write_png(root / path, np.roll(image, 3 * frame + number % 3, axis=1))
            names = {
                name: getattr(item, name) for name in ("method", "video", "identity", "source", "target", "compression")
            }
            split = item.split or ("train", "val", "test")[number % 3]
            marks = None if item.label else landmarks.ravel().tolist()
            rows.append(
                row(path=path, dataset=dataset, label=item.label, frame=frame, split=split, landmarks=marks, **names)
            )
    Manifest(pd.DataFrame(rows), root).write(root / "manifest.parquet")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with configs/ and data/, as the repository's root after the commands of the experiments' first lines."""
    root = tmp_path_factory.mktemp("full")
    (root / "configs").symlink_to(ROOT / "configs")
    readers = find_readers()
    for name, reader in (("ffpp", "ffpp"), ("celeb-df", "celeb-df"), ("dfdc", "dfdc")):
        tree = plant(root / "downloads" / name, reader)
        if name == "ffpp":  # the same videos without compression
            for file in [*(tree / YOUTUBE).rglob("*.mp4"), *(tree / FAKES).rglob("*.mp4")]:
                other = Path(str(file).replace("/c23/", "/raw/"))
                other.parent.mkdir(parents=True, exist_ok=True)
                other.touch()
        items = readers[reader].read(tree)
        draw(root / "data" / name, name, items)
        if name == "ffpp":
            draw(root / "data" / "ffpp-c23", "ffpp", [item for item in items if item.compression == "c23"])
    for name in ("lfw", "utkface", "lfw-80", "dfdc-half"):
        people = [Item(Path(f"{name}-{n}.jpg"), f"{name}-{n}", identity=f"{name}-{n}") for n in range(9)]
        fakes = [
            Item(Path(f"{name}-f{n}.jpg"), f"{name}-f{n}", 1, "x", target=f"{name}-{n}", identity=f"{name}-{n}")
            for n in range(9)
        ]
        draw(root / "data" / name, name, people + (fakes if name == "dfdc-half" else []))
    shutil.copytree(root / "data" / "ffpp-c23", root / "data" / "forged-ffpp")
    return root


def settings(path: Path) -> Iterator[one_run.Run]:
    """One run of each setting of an experiment."""
    sweep = read_sweep(path)
    runs = {json.dumps({k: v for k, v in run.items() if k not in SEEDS}): run for run in runs_of(sweep)}
    for values in runs.values():
        command = command_of(sweep, values)
        yield one_run.read_run(command[command.index(one_run.PROGRAM) + 1 :], {})


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_every_setting_trains(
    path: Path, layouts: Path, guided_run: GuidedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(layouts)
    found = list(settings(path))
    assert len(found) >= 2
    for number, run in enumerate(found):
        run.paths = {
            name: [str(guided_run.diffusion)] if name == "teacher" else there for name, there in run.paths.items()
        }
        if "--compressions=raw" not in run.anomaly:  # these experiments prepare c23 alone
            run.paths["train"] = [name.replace("ffpp", "ffpp-c23") for name in run.paths["train"]]
        ckpts = run.paths.pop("ckpt", [])
        assert one_run.missing([run]) == []
        small = [part for name, value in SMALL.items() for part in (f"--{name}", value)]
        out = tmp_path / str(number)
        if not ckpts:
            _, fit = one_run.stages(run, out, {})[0]
            assert main([*fit, *small]) == 0
        else:
            run.paths["ckpt"] = [str(guided_run.ckpt)]
            for done, command in one_run.stages(run, out, {}):
                if command[0] == "evaluate":
                    if number:  # as that of the first setting, and slow
                        continue
                    command += ["--resamples", "0"]
                assert main([*command, "--workers", "0"]) == 0
                assert done.exists()
