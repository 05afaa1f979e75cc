"""The command line: quick help, exit statuses, one-line errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from difffake.commands.main import COMMANDS, main


def test_help_loads_nothing_heavy() -> None:
    """`difffake --help` answers at once because the libraries below are imported by the commands alone."""
    code = "import sys, difffake.commands.main as c; c.main(['--help']); "
    code += "print({'torch', 'cv2', 'pandas', 'numpy', 'jsonargparse'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.endswith("set()\n")
    assert all(f"  {name} " in answer for name in COMMANDS)
    assert max(map(len, answer.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: difffake {name}" in text
    assert "example" in text
    assert "(default: )" not in text
    assert "--seed" in text or name in ("predict", "publish", "serve", "report", "pack")
    assert name == "fit" or max(map(len, text.splitlines())) <= 80


def test_arguments_come_from_signature_and_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(f"reader: folder\nroot: {tmp_path}\nsplit: [1, 0, 0]\n")
    assert main(["prepare", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out")]) == 1
    assert "no images in folders named after identities" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("evaluate --ckpt none.ckpt --manifest m --out o", "none.ckpt does not exist"),
        ("report empty --out r.html", "has none of results.json"),
        ("prepare --reader folder --root nowhere --out o", "--root nowhere does not exist"),
        (
            "fit --data.manifest nowhere --out o --model.weights none --model.encoder resnet10t",
            "nowhere does not exist",
        ),
        ("fit-anomaly --ckpt r --manifest m --out empty --overwrite", "--out empty is a folder, but a file is written"),
        ("demo --out /dev/null/x", "/dev/null/x"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "m.csv").touch()
    assert main(arguments.split()) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"difffake {arguments.split()[0]}: ")
    assert message in error
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "o") == ["empty"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fly", "difffake: fly is not a command: choose one of demo, prepare"),
        ("evalaute --ckpt x", "difffake: evalaute is not a command: did you mean evaluate?"),
        ("predict a --ckpt x --framse 3", "difffake predict: --framse is not an option: did you mean --frames?"),
        ("predict a --ckpt x --frames many", "difffake predict: --frames many: give a whole number"),
        ("predict a --ckpt x --frames 0", "difffake predict: --frames 0 must be at least 1"),
        ("robustness --manifest m --out o", "difffake robustness: --ckpt is missing"),
        (
            "prepare --reader fodler --root . --out o",
            "difffake prepare: --reader fodler is unknown: did you mean folder?",
        ),
        ("evaluate --ckpt c --manifest m --out o --workers -3", "difffake evaluate: --workers -3 must be at least 0"),
    ],
)
def test_wrong_options_end_in_one_line_with_exit_status_2(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_a_name_that_is_not_utf_8_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", os.fsdecode(b"a\xff.jpg")]) == 2
    assert capsys.readouterr().err == (
        "difffake predict: 'a\\udcff.jpg' is not UTF-8: rename the file, or name the folder that holds it\n"
    )


def test_no_command_at_all_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: difffake COMMAND" in capsys.readouterr().out
