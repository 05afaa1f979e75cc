"""The cache of programs, with which the second `predict` starts without torch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from drawn_clips import drawn
from tiny import TinyRun

from difffake import Predictor
from difffake.anomaly.scoring import Anomaly
from difffake.errors import UserError
from difffake.files import sha256
from difffake.models.model_config import WEIGHTS
from difffake.predict import programs
from difffake.predict.compiled_scorer import CompiledScorer, kept_scorer
from difffake.predict.onnx_scorer import OnnxScorer
from difffake.predict.programs import find_program, keep_program
from difffake.predict.publish import publish
from difffake.predict.scorer import has_gpu_driver, open_scorer
from difffake.predict.torch_scorer import TorchScorer

CROPS = [drawn(seed)[0] for seed in range(3)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("DIFFFAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("difffake.predict.scorer.has_gpu_driver", lambda: False)
    return tmp_path / "cache"


def test_a_checkpoint_is_compiled_once(tiny_run: TinyRun, cache: Path) -> None:
    first = open_scorer(tiny_run.folder)
    (program,) = cache.rglob("*.*")
    written = program.stat().st_mtime_ns
    second = open_scorer(tiny_run.ckpt, "cpu")
    assert isinstance(first, CompiledScorer)
    assert isinstance(second, CompiledScorer)
    reference = TorchScorer(tiny_run.ckpt, "cpu")
    for scorer in (first, second):
        for found, expected in zip(scorer(CROPS), reference(CROPS), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)
        for name in ("path", "threshold", "margin", "about", "checkpoint"):
            assert getattr(scorer, name) == getattr(reference, name)
    np.testing.assert_array_equal(first(CROPS).embeddings, second(CROPS).embeddings)
    assert (list(cache.rglob("*.*")), program.stat().st_mtime_ns > written) == ([program], True)  # marked as used


def test_the_second_time_needs_no_torch(tiny_run: TinyRun) -> None:
    """In a process of its own, with anomaly model and calibration as `predict` uses them."""
    code = "import sys; from difffake import Predictor; from drawn_clips import drawn\n"
    code += f"with Predictor({str(tiny_run.folder)!r}, device='cpu', cropped=True) as predictor:\n"
    code += "    found = predictor.predict([drawn(seed)[0] for seed in range(4)])\n"
    code += "print(found.logit, found.people[0].anomaly.value, 'torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    answers = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    first, second = (answer.split() for answer in answers)
    assert (first[2], second[2]) == ("True", "False")
    assert first[:2] == second[:2]
    assert first[1] != "None"


def test_activation_maps_come_from_torch(tiny_run: TinyRun) -> None:
    open_scorer(tiny_run.ckpt)
    found = open_scorer(tiny_run.ckpt).activation_maps(CROPS)
    np.testing.assert_array_equal(found, TorchScorer(tiny_run.ckpt, "cpu").activation_maps(CROPS))


def test_an_anomaly_model_that_needs_torch_gets_it(tiny_run: TinyRun, tmp_path: Path) -> None:
    from difffake.commands.main import main

    file = tmp_path / "anomaly.safetensors"
    words = ["--ckpt", tiny_run.ckpt, "--manifest", tiny_run.seen, "--out", file, "--combination", "learned"]
    words += ["--covariance", "diag", "--components", "1", "--workers", "0"]
    assert main(["fit-anomaly", *map(str, words)]) == 0
    scorer = open_scorer(tiny_run.ckpt)
    found = scorer.anomaly(file)
    assert isinstance(found, Anomaly)
    expected = TorchScorer(tiny_run.ckpt, "cpu").anomaly(file)
    embeddings = scorer(CROPS).embeddings
    np.testing.assert_array_equal(found.frame_scores(embeddings, "a"), expected.frame_scores(embeddings, "a"))


@pytest.mark.parametrize("damage", ["cut", "one bit", "another network", "a circle"])
def test_a_damaged_program_is_made_again(tiny_run: TinyRun, cache: Path, damage: str) -> None:
    expected = open_scorer(tiny_run.ckpt)(CROPS)
    (program,) = cache.rglob("*.*")
    content = bytearray(program.read_bytes())
    program.unlink()
    if damage == "cut":
        program.write_bytes(content[: len(content) // 2])
    elif damage == "one bit":  # of a weight, so that it is still a network
        content[len(content) // 2] ^= 1
        program.write_bytes(content)
    elif damage == "another network":
        other = keep_program("0" * 64, bytes(content) + b" ")
        assert other
        other.rename(program)
    else:
        program.symlink_to(program.name)
    assert kept_scorer(tiny_run.ckpt) is None
    np.testing.assert_array_equal(open_scorer(tiny_run.ckpt)(CROPS).logits, expected.logits)
    assert kept_scorer(tiny_run.ckpt)


def test_a_program_says_of_which_checkpoint_it_is(tiny_run: TinyRun, cache: Path) -> None:
    open_scorer(tiny_run.ckpt)
    (program,) = cache.rglob("*.*")
    model = onnx.load(program)
    wrong = OnnxScorer(program).facts.to_json().replace(sha256(tiny_run.ckpt), "0" * 64)
    onnx.helper.set_model_props(model, {"difffake": wrong})
    program.unlink()
    assert keep_program(sha256(tiny_run.ckpt), model.SerializeToString())
    assert kept_scorer(tiny_run.ckpt) is None


def test_another_checkpoint_or_other_code_has_another_program(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_scorer(tiny_run.ckpt)
    key = sha256(tiny_run.ckpt)
    assert find_program(key)
    assert find_program("0" * 64) is None
    monkeypatch.setattr(programs, "version", lambda name: "0.0")
    programs._maker.cache_clear()
    assert find_program(key) is None
    open_scorer(tiny_run.ckpt)
    assert (other := find_program(key))
    package = tmp_path / "difffake"
    for room in programs._ROOMS:
        shutil.copytree(Path(programs.__file__).parents[1] / room, package / room)
    monkeypatch.setattr(programs, "__file__", str(package / "predict" / "programs.py"))
    programs._maker.cache_clear()
    assert find_program(key) == other  # the place does not count
    with (package / "models" / "head.py").open("a") as file:
        file.write("# changed\n")
    programs._maker.cache_clear()
    assert find_program(key) is None
    monkeypatch.undo()
    programs._maker.cache_clear()


@pytest.mark.parametrize("trouble", ["a file", "no home", "may not be entered"])
def test_where_nothing_can_be_kept_torch_runs_the_detector(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFFAKE_CACHE", str(tmp_path / "file" / "cache"))
    if trouble == "no home":
        for name in ("DIFFFAKE_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Path, "home", lambda: fail(RuntimeError("Could not determine home directory.")))
    elif trouble == "may not be entered":  # the administrator may enter all
        monkeypatch.setattr(Path, "glob", lambda *_: fail(PermissionError()))
        monkeypatch.setattr(Path, "mkdir", lambda *_, **__: fail(PermissionError()))
    scorer = open_scorer(tiny_run.ckpt)
    assert isinstance(scorer, TorchScorer)
    assert np.isfinite(scorer(CROPS).logits).all()


def fail(error: Exception) -> None:
    raise error


def test_a_program_in_a_folder_that_cannot_be_changed_is_used(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_scorer(tiny_run.ckpt)
    monkeypatch.setattr("os.utime", lambda *_: fail(PermissionError()))
    assert kept_scorer(tiny_run.ckpt)


def test_a_model_folder_whose_weights_were_changed_is_refused(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = publish(tiny_run.ckpt, tmp_path / "model")
    with Predictor(folder, cropped=True) as predictor:
        assert isinstance(predictor.scorer, CompiledScorer)
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (folder / WEIGHTS).write_bytes(weights)
    with pytest.raises(UserError, match="was changed or is damaged"):
        Predictor(folder, cropped=True)


def test_what_was_not_used_for_the_longest_time_makes_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MOST", 30)
    keys = [letter * 64 for letter in "abcd"]
    (cache / "programs").mkdir(parents=True)
    (cache / "programs" / "mine.onnx").write_bytes(bytes(100))
    for age, key in zip((40, 30, 20), keys, strict=False):
        file = keep_program(key, bytes(10))
        assert file
        os.utime(file, (1e9 - age, 1e9 - age))
    assert find_program(keys[0])
    keep_program(keys[3], bytes(10))
    assert [bool(find_program(key)) for key in keys] == [True, False, True, True]
    keep_program(keys[1], bytes(40))  # larger than all of the room: it alone is kept
    assert [bool(find_program(key)) for key in keys] == [False, True, False, False]
    assert (cache / "programs" / "mine.onnx").is_file()  # a file of somebody else


def test_a_program_serves_a_machine_whose_gpu_cannot_be_used(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch is asked there, and finds none; a device that is named is always torch's."""
    monkeypatch.setattr("difffake.predict.scorer.has_gpu_driver", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert isinstance(open_scorer(tiny_run.ckpt), CompiledScorer)
    monkeypatch.setattr("difffake.predict.compiled_scorer.compiled_scorer", lambda _: pytest.fail("compiled again"))
    assert isinstance(open_scorer(tiny_run.ckpt), CompiledScorer)
    with pytest.raises(UserError, match="--device cuda cannot be used"):
        open_scorer(tiny_run.ckpt, "cuda")


def test_on_a_gpu_torch_runs_the_detector(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here one that is only said to be there."""
    scorer = TorchScorer(tiny_run.ckpt, "cpu")
    scorer.device = torch.device("cuda")
    monkeypatch.setattr("difffake.predict.scorer.has_gpu_driver", lambda: True)
    monkeypatch.setattr("difffake.predict.torch_scorer.TorchScorer", lambda *_: scorer)
    assert open_scorer(tiny_run.ckpt) is scorer


def test_a_gpu_is_looked_for_where_its_driver_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: None)
    assert has_gpu_driver()

    def absent(name: str) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", absent)
    assert has_gpu_driver() == Path("/dev/kfd").exists()


def test_predictors_can_be_made_in_several_threads(tiny_run: TinyRun) -> None:
    """In a process of its own, in which timm was not imported before."""
    code = "import sys; from concurrent.futures import ThreadPoolExecutor; from difffake import Predictor\n"
    code += f"make = lambda _: Predictor({str(tiny_run.folder)!r}, device='cpu', cropped=True).scorer.checkpoint\n"
    code += "with ThreadPoolExecutor(3) as pool: print(len(set(pool.map(make, range(3)))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_onnxruntime_reports_nothing(tiny_run: TinyRun, tmp_path: Path) -> None:
    """By default, it leaves a number of the machine and its reports in the home folder until they are sent."""
    open_scorer(tiny_run.ckpt)
    code = "from difffake.predict.scorer import open_scorer; from pathlib import Path; import sys\n"
    code += f"open_scorer(Path({str(tiny_run.ckpt)!r}), 'cpu'); print('torch' in sys.modules)"
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache")}
    (tmp_path / "home").mkdir()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
