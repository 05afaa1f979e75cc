"""Anomaly and fused scores of people: those of `evaluate`, and against real images of the person."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import TinyRun

from difffake import Predictor
from difffake.anomaly.scoring import read_anomaly
from difffake.commands.main import main
from difffake.data.datasets import CropDataset
from difffake.data.keys import pair_group
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.errors import UserError
from difffake.evaluation.evaluate import scored
from difffake.evaluation.fusion import fuse
from difffake.evaluation.measures import ANOMALY, CLASSIFIER, FUSION
from difffake.evaluation.results import video_scores
from difffake.faces.video import read_clip
from difffake.models.checkpoint import load_detector
from difffake.models.embed import embed


@pytest.fixture(scope="module")
def calibrated(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of both scores and their fusion."""
    path = tmp_path_factory.mktemp("calibrated") / "calibration.json"
    command = ["calibrate", "--ckpt", tiny_run.ckpt, "--manifest", tiny_run.unseen, "--split", "test", "--out", path]
    assert main([str(part) for part in command]) == 0
    return path


def test_a_videos_scores_are_those_of_the_evaluation(tiny_run: TinyRun, calibrated: Path) -> None:
    manifest = Manifest.read(tiny_run.unseen)
    detector, _ = load_detector(tiny_run.ckpt)
    rows, logits, embeddings = embed(detector, CropDataset(manifest, 64), workers=0)
    table = manifest.table.iloc[rows].reset_index(drop=True)
    anomaly = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    pairs, values = anomaly.scores(table, embeddings)
    predictor = Predictor(tiny_run.ckpt, device="cpu", cropped=True, calibration=calibrated)
    assert predictor.calibration
    assert predictor.calibration.fusion
    scores = [scored(table, CLASSIFIER, logits), scored(table.iloc[pairs.probes], ANOMALY, values)]
    both = fuse(pd.concat(scores), predictor.calibration.fusion)
    expected = video_scores(pd.concat([*scores, both])).set_index(["method", "video", "score"])["value"]
    groups = pair_group(table)
    for (method, video), own in table.groupby(["method", "video"]):
        own = own.sort_values("frame")
        crops = [read_crop(manifest.file(int(rows[row]))) for row in own.index]
        (person,) = predictor.predict(crops, name=groups[own.index[0]]).people
        assert person.anomaly
        assert person.fusion
        assert person.logit == pytest.approx(expected[method, video, CLASSIFIER], abs=1e-4)
        # A mixture that was fitted to 12 pairs is narrow: a rounding error of 1e-8 in an embedding is 1e-3 in a score.
        assert person.anomaly.value == pytest.approx(expected[method, video, ANOMALY], rel=1e-3)
        assert person.fusion.value == pytest.approx(expected[method, video, FUSION], rel=1e-3, abs=1e-3)
        assert person.anomaly.pairs == (groups[pairs.probes] == groups[own.index[0]]).sum()
        for name, other in ((ANOMALY, person.anomaly), (FUSION, person.fusion)):
            found = predictor.calibration.at(name, "video")
            assert found
            assert other.calibrated_probability == pytest.approx(found.to_probability(other.value))
            limits = found.limits(0.05)
            assert other.verdict == (
                "fake" if limits.fake(other.value) else "real" if limits.real(other.value) else "cannot tell"
            )


def test_without_a_calibration_the_models_own_threshold_decides(tiny_run: TinyRun) -> None:
    manifest = Manifest.read(tiny_run.unseen)
    crops = [read_crop(manifest.file(row)) for row in range(6)]
    with Predictor(tiny_run.ckpt, device="cpu", cropped=True) as predictor:
        (person,) = predictor.predict(crops).people
        (still,) = predictor.predict(crops[0]).people
    threshold = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt).threshold
    assert person.anomaly
    assert person.anomaly.calibrated_probability is None
    assert person.anomaly.verdict == ("fake" if person.anomaly.value >= threshold else "real")
    assert person.fusion is None
    assert still.anomaly is None  # there is nothing to compare a single image with
    with Predictor(tiny_run.ckpt, device="cpu", cropped=True, anomaly="none") as predictor:
        assert predictor.predict(crops).people[0].anomaly is None


def test_against_real_images_every_pair_counts(tiny_run: TinyRun) -> None:
    manifest = Manifest.read(tiny_run.unseen)
    crops = [read_crop(manifest.file(row)) for row in range(5)]
    detector, _ = load_detector(tiny_run.ckpt)
    _, _, embeddings = embed(detector, CropDataset(manifest, 64), np.arange(5), workers=0)
    model = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    probes, references = torch.from_numpy(embeddings[:2]), torch.from_numpy(embeddings[2:])
    each = [
        model.density.score(model.pairing.combined(reference[None], probe[None])).item()
        for probe in probes
        for reference in references
    ]
    with Predictor(tiny_run.ckpt, device="cpu", cropped=True) as predictor:
        (person,) = predictor.predict(crops[:2], references=predictor.references(crops[2:])).people
        (still,) = predictor.predict(crops[0], references=predictor.references(crops[2:])).people
    assert person.anomaly
    assert still.anomaly
    assert person.anomaly.value == pytest.approx(np.mean(each), rel=1e-3)
    assert still.anomaly.value == pytest.approx(np.mean(each[:3]), rel=1e-3)
    assert (person.anomaly.pairs, still.anomaly.pairs) == (6, 3)


def test_references_need_a_model_a_face_and_one_person(tiny_run: TinyRun) -> None:
    manifest = Manifest.read(tiny_run.unseen)
    crop = read_crop(manifest.file(0))
    with (
        Predictor(tiny_run.ckpt, device="cpu", cropped=True, anomaly="none") as predictor,
        pytest.raises(UserError, match="references need an anomaly model"),
    ):
        predictor.references([crop])
    with (
        Predictor(tiny_run.ckpt, device="cpu", find_faces=lambda image: []) as predictor,
        pytest.raises(UserError, match="reference 0: no face found"),
    ):
        predictor.references([crop])
    with pytest.raises(UserError, match="fit-anomaly"):
        Predictor(tiny_run.ckpt, device="cpu", cropped=True, anomaly="missing.safetensors")


def test_the_command_shows_all_scores_and_reads_names_from_standard_input(
    tiny_run: TinyRun, calibrated: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest.read(tiny_run.unseen)
    files = [str(manifest.file(row)) for row in range(3)]
    command = ["predict", "-", "--ckpt", str(tiny_run.ckpt), "--device", "cpu", "--cropped", "--reference", files[2]]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(files[:2]) + "\n"))
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command, "--calibration", str(calibrated)]) == 0
    said = capsys.readouterr().out
    assert said.count("anomaly, 1 pair") == 2
    assert said.count("both together") == 2
    assert max(map(len, said.splitlines())) <= 80
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(files[:2]) + "\n"))
    assert main([*command, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == files[:2]
    assert all(line["people"][0]["anomaly"]["pairs"] == 1 for line in lines)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(command) == 1
    assert "standard input names no files" in capsys.readouterr().err


def test_two_people_side_by_side_have_the_scores_of_their_own_clips(
    tiny_run: TinyRun, shared_data: Path, landmarker: Path
) -> None:
    clips = [
        [frame.image for frame in read_clip(shared_data / "clips" / name, 6).frames]
        for name in ("grid_bbaf2n.mpg", "grid_lbbc2a.mpg")
    ]
    joined = [np.hstack(pair) for pair in zip(*clips, strict=True)]
    with Predictor(tiny_run.ckpt, landmarker, device="cpu") as predictor:
        alone = [predictor.predict(clip).people for clip in clips]
        together = predictor.predict(joined).people
    assert [len(people) for people in alone] == [1, 1]
    assert [len(person.faces) for person in together] == [6, 6]
    middle = clips[0][0].shape[1]
    left, right = sorted(together, key=lambda person: person.faces[0].box[0])
    assert left.faces[0].box[2] <= middle <= right.faces[0].box[0]
    for person, (own,) in zip((left, right), alone, strict=True):
        assert person.probability == pytest.approx(own.probability, abs=1e-3)
        assert [face.logit for face in person.faces] == pytest.approx([face.logit for face in own.faces], abs=1e-3)
