"""`difffake figures` on a guided run: pictures, and numbers that are those of the networks themselves."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from tiny import GuidedRun, TinyRun

from difffake.commands.main import main
from difffake.data.batches import to_tensors, to_unit
from difffake.faces.images import read_image
from difffake.models.checkpoint import PREFIX, load_detector
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.saved import REGULARIZERS, load_regularizers

A, B = "forged-drawn-a", "forged-drawn-b"
QUICK = ["--workers", "0", "--faces", "2", "--noises", "2", "--steps", "2", "--split", "all"]


OWN = {"embeddings", "activation_maps", "failures"}
"""Pictures of every detector."""


def figures(ckpt: Path, manifests: list[Path], out: Path, *options: str) -> int:
    return main(["figures", "--ckpt", str(ckpt), "--manifest", *map(str, manifests), "--out", str(out), *options])


@pytest.fixture(scope="module")
def drawn(guided_run: GuidedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("figures") / "out"
    assert figures(guided_run.ckpt.parent, [guided_run.seen, guided_run.unseen], out, *QUICK) == 0
    return out


def content(out: Path) -> dict[str, list[dict[str, Any]]]:
    return json.loads((out / "figures.json").read_text())


@pytest.fixture(scope="module")
def measured(guided_run: GuidedRun) -> pd.DataFrame:
    """All that the command measures, for the faces of both manifests one by one, with nothing of its code."""
    detector, _ = load_detector(guided_run.ckpt)
    regularizers, teacher = load_regularizers(guided_run.ckpt, detector)
    guide, diffusion = regularizers["guide"], teacher.diffusion
    assert isinstance(guide, Guide)
    tables, latents = [], {}
    for root in (guided_run.seen, guided_run.unseen):
        table = pd.read_parquet(root / "manifest.parquet")
        values = []
        for path in table["path"]:
            crop = cv2.resize(read_image(root / path), (64, 64), interpolation=cv2.INTER_LINEAR)
            image = torch.from_numpy(crop.transpose(2, 0, 1)[None] / 255).float()
            with torch.no_grad():
                features = detector(image).features
                difference = (guide.source_filter(features, (8, 8)) - guide.target_filter(features, (8, 8))).numpy()
                weights = (guide.source_weight(features).item(), guide.target_weight(features).item())
                latents[root / path] = diffusion.encode(image).flatten().double().numpy()
            values.append((np.sqrt((difference**2).sum()), *weights))
        table[["distance", "source_weight", "target_weight"]] = values
        records = pd.read_parquet(root / "forgeries.parquet").set_index("path")
        for role in ("source", "target"):
            partner = [records[f"{role}_path"].get(path, path) for path in table["path"]]
            table[f"{role}_similarity"] = [
                cosine(latents[root / path], latents[root / other])
                for path, other in zip(table["path"], partner, strict=True)
            ]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_pictures_and_numbers_are_there(drawn: Path) -> None:
    names = {path.name for path in drawn.iterdir()}
    pictures = OWN | {"reconstructions", "weights", "distances"}
    wanted = {f"{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    assert names == wanted | {"figures.json", ".difffake"}
    for path in drawn.glob("*.png"):
        assert len(np.unique(cv2.imread(str(path)))) > 20  # something is drawn
    text = (drawn / "figures.json").read_text()
    assert str(drawn.parent) not in text
    assert content(drawn)["provenance"]["testbed"] is True


def test_numbers_are_those_of_the_networks(drawn: Path, measured: pd.DataFrame) -> None:
    rows = content(drawn)["rows"]
    groups = measured.groupby(["dataset", "split", "method"])
    assert len(rows) == groups.ngroups == 3 * 3 + 2
    for row in rows:
        part = groups.get_group((row["dataset"], row["split"], row["method"]))
        assert row["compression"] == "c23"
        assert row["faces"] == row["faces_with_partners"] == len(part)
        for name in ("distance", "source_weight", "target_weight", "source_similarity", "target_similarity"):
            assert row[f"{name}_mean"] == pytest.approx(part[name].mean(), rel=1e-4)
            assert row[f"{name}_std"] == pytest.approx(part[name].std(ddof=0), abs=1e-3 * abs(part[name].mean()))
    real = [row for row in rows if row["method"] == "real"]
    assert [row["source_similarity_mean"] for row in real] == pytest.approx([1] * 4)
    assert all(row["target_similarity_mean"] < 0.9999 for row in rows if row["method"] == "alpha_swap")


def test_rebuilt_faces_are_of_training_and_of_unseen_splits(drawn: Path, measured: pd.DataFrame) -> None:
    table = measured.set_index(["dataset", "path"])
    rebuilt = content(drawn)["reconstructions"]
    assert [(row["group"], row["method"] == "real") for row in rebuilt] == [
        (group, real) for group in ("training", "unseen") for real in (False, False, True)
    ]
    for row in rebuilt:
        names = [name for name in (A, B) if (name, row["path"]) in table.index]
        found = pd.concat([table.loc[[(name, row["path"])]] for name in names])
        own = found[(found["split"] == {"training": "train", "unseen": "test"}[row["group"]])].iloc[0]
        assert row["method"] == own["method"]
        assert row["distance"] == pytest.approx(own["distance"], rel=1e-4)
        assert row["source_weight"] == pytest.approx(own["source_weight"], rel=1e-4)


def test_the_same_seed_draws_the_same(drawn: Path, guided_run: GuidedRun, tmp_path: Path) -> None:
    both = [guided_run.seen, guided_run.unseen]
    moved = tmp_path / "moved"
    shutil.copytree(guided_run.diffusion, moved)
    assert figures(guided_run.ckpt, both, tmp_path / "a", *QUICK, "--diffusion", str(moved)) == 0
    assert figures(guided_run.ckpt, both, tmp_path / "b", *QUICK, "--seed", "1", "--limit", "3") == 0
    for name in ("reconstructions.png", "weights.png", "distances.png"):
        assert (tmp_path / "a" / name).read_bytes() == (drawn / name).read_bytes()
    assert (tmp_path / "b" / "reconstructions.png").read_bytes() != (drawn / "reconstructions.png").read_bytes()
    assert content(tmp_path / "a")["rows"] == content(drawn)["rows"]
    assert {row["faces"] for row in content(tmp_path / "b")["rows"]} == {3}


def test_a_detector_without_regularizers_is_drawn_beside_others(
    tiny_run: TinyRun, guided_run: GuidedRun, tmp_path: Path
) -> None:
    guided = tmp_path / "guided" / "best.ckpt"  # both runs are in folders of one name
    guided.parent.mkdir()
    shutil.copy(guided_run.ckpt, guided)
    plain = torch.load(tiny_run.ckpt, weights_only=True)
    del plain[REGULARIZERS]
    plain["state_dict"] = {key: value for key, value in plain["state_dict"].items() if key.startswith(PREFIX)}
    (tmp_path / "plain").mkdir()
    torch.save(plain, tmp_path / "plain" / "best.ckpt")
    both = [tiny_run.seen, tiny_run.unseen]
    assert figures(tmp_path / "plain", both, tmp_path / "out", *QUICK, "--beside", str(guided)) == 0
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == OWN
    found = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(found["activation_layers"]) == {"plain", "guided"}
    assert found["activation_layers"]["guided"] == "layer4"
    detector, info = load_detector(tiny_run.ckpt)
    assert info.threshold is not None
    table = pd.concat(pd.read_parquet(root / "manifest.parquet") for root in both).set_index(["dataset", "path"])
    sides = []
    for failure in found["failures"]:
        fake = failure["method"] != "real"
        row = table.loc[(failure["dataset"], failure["path"])]
        assert (row["label"] == 1) == fake
        root = both[0] if failure["dataset"] == A else both[1]
        with torch.no_grad():
            image = to_unit(to_tensors([read_image(root / failure["path"])], 64))
            logit = detector(image).logit.item()
        assert failure["probability"] == pytest.approx(expit(logit), abs=1e-4)
        assert (logit >= info.threshold) != fake
        sides.append(((failure["dataset"], row["method"], row["video"]), fake, logit))
    assert len({video for video, *_ in sides}) == len(sides)  # one of each video
    for fake in (False, True):
        logits = [logit for _, kind, logit in sides if kind == fake]
        assert logits == sorted(logits, reverse=not fake)  # the most confident first


def test_what_cannot_be_drawn_is_told_in_one_line(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(ckpt: Path, manifest: Path, *options: str) -> str:
        assert figures(ckpt, [manifest], tmp_path / "out", *QUICK, *options) in (1, 2)
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err.strip().splitlines()[-1]

    def changed(name: str, table: pd.DataFrame) -> Path:
        (tmp_path / name).mkdir()
        table["path"] = [(guided_run.seen / path).as_posix() for path in table["path"]]
        table.to_parquet(tmp_path / name / "manifest.parquet")
        return tmp_path / name

    plain = torch.load(guided_run.ckpt, weights_only=True)
    del plain[REGULARIZERS]
    torch.save(plain, tmp_path / "plain.ckpt")
    assert "was trained without regularizers" in refused(
        tmp_path / "plain.ckpt", guided_run.seen, "--diffusion", "elsewhere"
    )
    assert "two checkpoints are in folders of the name run" in refused(
        guided_run.ckpt, guided_run.seen, "--beside", str(guided_run.ckpt)
    )
    assert "no rows in the split train" in refused(guided_run.ckpt, guided_run.unseen, "--split", "train")
    assert "--limit -1 must be at least 0" in refused(guided_run.ckpt, guided_run.seen, "--limit", "-1")
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    table["split"] = table["split"].replace({"train": "test", "test": "train"})
    assert "split test, shares" in refused(guided_run.ckpt, changed("leaked", table))
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    table["split"] = table["split"].replace({"train": "test", "test": "train"})
    for column in ("dataset", "identity", "video", "source", "target"):
        table[column] = ("other " + table[column]).where(table[column] != "", "")
    assert "crop(s) of the training data under other names" in refused(guided_run.ckpt, changed("renamed", table))


def test_data_without_sources_have_the_pictures_of_the_detector(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    table.loc[table["label"] == 1, "source"] = ""
    table["path"] = [(guided_run.seen / path).as_posix() for path in table["path"]]
    table.to_parquet(tmp_path / "manifest.parquet")
    assert figures(guided_run.ckpt, [tmp_path], tmp_path / "out", *QUICK) == 0
    assert "no pictures of the regularizer guide: no fake" in " ".join(capsys.readouterr().err.split())
    drawn = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert {"embeddings", "activation_maps"} <= drawn
    assert "reconstructions" not in drawn
