"""`difffake protocol`: its commands are ones that the commands themselves understand, and a small one runs."""

import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import timm
import yaml
from tiny import TinyRun

from difffake.commands.main import main
from difffake.commands.parse import parse
from difffake.sweeps.protocol import protocol_files, read_protocol


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    names = sorted({name for protocol in protocol_files() for name in read_protocol(protocol).roots()})
    for name in names:
        (tmp_path / name).mkdir()
    path = tmp_path / "roots.yaml"
    path.write_text(yaml.safe_dump({name: str(tmp_path / name) for name in names}))
    return path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    capsys.readouterr()
    assert main(["protocol", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [shlex.split(line)[1:] for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", sorted(protocol_files()))
def test_every_command_parses(name: str, roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = printed(capsys, name, "--data", str(roots), "--out", str(tmp_path / "out"), "--seeds", "7")
    found: dict[str, int] = {}
    for command, *words in commands:
        found[command] = found.get(command, 0) + 1
        if command == "fit":
            with pytest.raises(SystemExit) as ended:  # it reads all options, prints them, and ends
                main(["fit", *words, "--print_config"])
            assert ended.value.code == 0
            config = yaml.safe_load(capsys.readouterr().out)
            assert config["seed_everything"] == 7
            assert config["model"]["encoder"] in timm.list_pretrained(config["model"]["encoder"])
        else:
            module: Any = import_module(f"difffake.commands.{command.replace('-', '_')}")
            parse(command, getattr(module, command.replace("-", "_")), module.EXAMPLES, words)
    protocol = read_protocol(name)
    assert found["prepare"] == len(protocol.data)
    assert found["fit"] == found["evaluate"] == len(protocol.parameters["setting"]["values"])
    assert found["report"] == 1
    assert ("fit-anomaly" in found) == (name == "difffake")


def test_all_protocols_are_listed_with_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", "list"]) == 0
    assert {line for line in capsys.readouterr().out.splitlines() if line[:1] != " "} == set(protocol_files())
    assert main(["protocol", "difffake"]) == 0
    needs = yaml.safe_load(capsys.readouterr().out)
    assert set(needs) == {"ffpp", "celeb-df", "deeperforensics", "forgerynet"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["difffak"],
            "difffake protocol: difffak is no protocol (or a file such as mine.yaml): did you mean difffake?",
        ),
        (["difffake", "--run"], "--run needs --data"),
        (["difffake", "--data", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", *words]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_unknown_option_of_prepare_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = yaml.safe_load(protocol_files()["cross-manipulation"].read_text())
    content["data"]["ffpp"]["frame"] = 3
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "roots.yaml").write_text(f"ffpp: {tmp_path}")
    assert main(["protocol", str(tmp_path / "mine.yaml"), "--data", str(tmp_path / "roots.yaml")]) == 1
    error = capsys.readouterr().err
    assert "mine.yaml" in error
    assert "--frame" in error
    assert error.count("\n") == 1


def test_a_small_protocol_runs_and_continues(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(__file__).parents[2] / "configs" / "demo-drawn.yaml"
    options = "--data.batch_size 8 --data.workers 0 --trainer.max_epochs 1 --model.regularizers.guide null"
    options += " --model.encoder resnet10t --model.weights none --model.image_size 64"
    content = {
        "title": "Drawn faces",
        "data": {"drawn-a": {"reader": "folder"}, "drawn-b": {"reader": "folder"}, "lost": {"reader": "folder"}},
        "train": ["drawn-a"],
        "test": ["drawn-b", "lost"],
        "published": ["diffusionfake-2"],
        "metric": "auc/frame/classifier",
        "parameters": {
            "seed_everything": {"values": [0, 1]},
            "setting": {"values": [f"no guide: {options}"]},
            "config": {"value": str(config)},
            "evaluate.workers": {"value": 0},
            "evaluate.resamples": {"value": 0},
        },
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "roots.yaml").write_text(f"drawn-a: {tiny_run.seen}\ndrawn-b: {tiny_run.unseen}\n")
    monkeypatch.chdir(tmp_path)
    words = ["protocol", "mine.yaml", "--data", "roots.yaml", "--partial", "--seeds", "0", "--run"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "left out, not in roots.yaml: lost" in said.err
    folder = tmp_path / "protocols" / "mine"
    assert "| no guide | published | 71.9 | 71.8 |" in (folder / "published.md").read_text()
    assert "| no guide | measured | - | - |" in (folder / "published.md").read_text()  # no such data set was tested
    assert "forged-drawn-b" in (folder / "report.html").read_text()
    before = [path.stat().st_mtime_ns for path in sorted(folder.rglob("results.json"))]
    assert len(before) == 1
    assert main(words) == 0  # nothing is done again
    assert [path.stat().st_mtime_ns for path in sorted(folder.rglob("results.json"))] == before
