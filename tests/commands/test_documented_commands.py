"""Every command of README.md and the documentation has these options; those that need nothing are run."""

import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from documented import NEEDS, PAGES, ROOT, Block, Command, blocks, commands, difffake_words
from drawn_clips import KnownFaces, drawn, write_clip
from tiny import TinyRun

from difffake.commands.fit import FitCLI, FitParser, fit
from difffake.commands.main import COMMANDS, main
from difffake.commands.parse import parse
from difffake.faces.images import write_png
from difffake.forge.methods import METHODS
from difffake.sweeps.protocol import protocol_files, read_protocol

BLOCKS = [block for page in PAGES for block in blocks(page)]
SCRIPTS = [block for block in BLOCKS if block.language == "bash"]
OTHER_PROGRAMS = {"cd", "echo", "export", "find", "git", "ls", "pip", "sed", "wandb"}
"""Programs that are not this project's."""
LONG = {"demo", "fit", "pretrain-guide", "robustness", "serve", "sweep"}
RUN = [b for b in BLOCKS if b.language in ("bash", "python") and not b.needs and not b.title]
PAGES_RUN = sorted({block.page for block in RUN})


@pytest.fixture(scope="module")
def fit_parser() -> FitParser:
    """The parser of `difffake fit`, which takes a second to make."""

    def stop(cli: FitCLI, parser: FitParser, args: list[str]) -> None:
        raise StopIteration(parser)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(StopIteration) as found:
        patch.setattr(FitCLI, "parse_arguments", stop)
        fit([])
    return found.value.value


def write_titled(page: Path, folder: Path) -> None:
    """The files of a page: its code blocks with a title."""
    for block in blocks(page):
        if block.title:
            (folder / block.title).parent.mkdir(exist_ok=True)
            (folder / block.title).write_text(block.text)


def test_blocks_say_what_they_are() -> None:
    """A block without a language or with an unknown need would be left out by the tests below."""
    for page in PAGES:
        fences = re.findall(r"^ *```.*$", page.read_text(), flags=re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), f"{page}: a code block has no language, or is indented"
        marks = re.findall(r"^ *<!-- needs:", page.read_text(), flags=re.MULTILINE)
        assert len(marks) == sum(bool(block.needs) for block in blocks(page)), f"{page}: a mark is not above a block"
    assert [(str(block), block.needs - set(NEEDS)) for block in BLOCKS if block.needs - set(NEEDS)] == []
    assert {block.language for block in BLOCKS} <= {"bash", "python", "yaml", "json", "text"}


def test_commands_are_read() -> None:
    text = 'A=b "difffake" predict \\\n  x.png --out "a b"   # why\nfind . -name \'*.mp4\' | difffake predict - > c\n'
    text += "python - <<END\nif x: difffake\nEND\nwandb sweep f && cd ..\n"
    assert commands(text) == [
        Command(("difffake", "predict", "x.png", "--out", "a b")),
        Command(("find", ".", "-name", "*.mp4")),
        Command(("difffake", "predict", "-"), "c", piped=True),
        Command(("python", "-")),
        Command(("wandb", "sweep", "f")),
        Command(("cd", "..")),
    ]
    torchrun = Command(("torchrun", "--nproc-per-node=4", "-m", "difffake", "evaluate", "--out", "o"))
    assert difffake_words(torchrun) == ["evaluate", "--out", "o"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_commands(
    page: Path, fit_parser: FitParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(tmp_path)
    write_titled(page, tmp_path)
    for block in (block for block in SCRIPTS if block.page == page):
        for command in commands(block.text):
            try:
                check(command, fit_parser)
            except Exception as error:
                raise AssertionError(f"{block}: {shlex.join(command.words)}: {error}") from error


def check(command: Command, fit_parser: FitParser) -> None:
    """Names, options and choices of a command exist, and the files of the repository that it names."""
    name, *words = [re.sub(r"\$\w+", "1", word) for word in difffake_words(command)] or [""]
    if not name:
        check_other(command.words)
        return
    if name == "--help":
        return
    assert name in COMMANDS, f"{name} is not a command"
    if words == ["--help"]:
        return
    if name == "fit":
        found = vars(fit_parser.parse_args(words))
        assert found["out"]
        assert found["data"]["manifest"]
        return
    module = import_module(f"difffake.commands.{name.replace('-', '_')}")
    found = parse(f"difffake {name}", getattr(module, name.replace("-", "_")), (), words).arguments
    if name == "sweep":
        assert (ROOT / found["file"]).is_file()
    elif name == "protocol":
        assert str(found["name"]) in {*protocol_files(), "list"}
    elif name == "forge" and found["methods"]:
        assert set(found["methods"]) <= set(METHODS)


def check_other(words: tuple[str, ...]) -> None:
    """A benchmark, a target of the Makefile, or a program that is not this project's."""
    program, *rest = words
    if program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), f"no target {rest[0]}"
    elif program == "python":
        assert rest[0] == "-" or (ROOT / rest[0]).is_file(), f"no file {rest[0]}"
        text = "" if rest[0] == "-" else (ROOT / rest[0]).read_text()
        assert all(f'"{word}"' in text for word in rest if word.startswith("--"))
    else:
        assert program in OTHER_PROGRAMS, f"unknown program {program}"


@pytest.fixture(scope="module")
def own(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of the package's detector, one that was trained for seconds."""
    folder = tmp_path_factory.mktemp("own") / "detector"
    assert main(["publish", "--ckpt", str(tiny_run.ckpt), "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def place(tiny_run: TinyRun, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder as the pages suppose it, with drawn faces and a detector that was trained for seconds."""
    for name in ("configs", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data").mkdir()
    data = {"lfw": tiny_run.seen, "celebdf": tiny_run.seen, "dfdc": tiny_run.unseen}
    for name, source in data.items():
        (tmp_path / "data" / name).symlink_to(source)
    for name in ("lfw", "guided"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        for file in ("best.ckpt", "config.yaml"):
            (tmp_path / "runs" / name / file).symlink_to(tiny_run.folder / file)
    face, _ = drawn(1)
    for name in ("photos/a.png", "faces/a.png", "portrait.jpg", "talk.png", "photo.jpg", "a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_png(tmp_path / name, face)
    for name in ("clip.mp4", "archive/b.mp4", "clips/c.mp4", "b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_clip(tmp_path / name, [face] * 4)
    crops = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    scores = np.random.default_rng(0).uniform(size=len(crops))
    crops[["path"]].assign(score=scores).to_csv(tmp_path / "xception.csv", index=False)
    names = sorted({name for protocol in protocol_files() for name in read_protocol(protocol).roots()})
    (tmp_path / "roots.yaml").write_text(yaml.safe_dump(dict.fromkeys(names, ".")))
    monkeypatch.setattr("difffake.predict.predictor.LandmarkDetector", KnownFaces)
    monkeypatch.setattr("difffake.predict.predictor.landmarker_model", lambda given: given)
    monkeypatch.setattr("difffake.predict.hub.shipped", lambda name: own)
    # Tests of the evaluation draw pictures; here they would take most of the time.
    monkeypatch.setattr("difffake.evaluation.evaluate.write_pictures", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES_RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_needs_nothing_runs(
    page: Path, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All blocks of a page, one after the other, in one folder."""
    for block in (block for block in RUN if block.page == page):
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), {"image": drawn(1)[0]})
        else:
            run(block, place, capsys, monkeypatch)


def run(block: Block, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command in this process, with its pipe and redirection; all must succeed."""
    printed = ""
    for command in commands(block.text):
        if not (words := difffake_words(command)):
            done = subprocess.run(command.words, capture_output=True, text=True, check=True)
            printed = done.stdout
            continue
        assert words[0] not in LONG, f"{block}: {words[0]} takes too long here: say what the block needs"
        if command.piped:
            monkeypatch.setattr("sys.stdin.read", lambda text=printed: text)
        expanded = [str(path) for word in words for path in ("*" in word and sorted(place.glob(word))) or [word]]
        try:
            status = main(expanded)
        except SystemExit as end:  # of --help
            status = end.code
        printed, errors = capsys.readouterr()
        assert status == 0, f"{block}: difffake {shlex.join(words)}\n{printed}\n{errors}"
        assert printed or errors
        if command.redirected:
            assert printed
            (place / command.redirected).write_text(printed)
