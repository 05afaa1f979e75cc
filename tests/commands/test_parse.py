"""Options from a signature: one spelling of lists, bounds, none, and mistakes in one line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from difffake.commands.help_text import shown
from difffake.commands.mistakes import did_you_mean
from difffake.commands.parse import AtLeast, parse
from difffake.errors import UsageError


def work(
    files: list[Path],
    /,
    manifest: list[Path],
    kind: Literal["a", "b"] = "a",
    size: Annotated[int, AtLeast(1)] = 3,
    name: str = "x",
    split: list[float] = [0.8, 0.1, 0.1],  # noqa: B006  # never changed
    overwrite: bool = False,
    runs: Annotated[int, AtLeast(1)] | None = None,
    labels: list[str] | None = None,
    colors: Sequence[Literal["red", "blue"]] = ("red",),
    group: Literal["video", "none"] | None = None,
) -> None:
    """Do it.

    Args:
        files: what to work on, 100 % of it.
        manifest: one or several.
        kind: of work.
        size: of each.
        name: of all.
        split: shares.
        overwrite: replace.
        runs: how many.
        labels: names.
        colors: to use.
        group: what stays together.
    """


DEFAULTS: dict[str, Any] = {
    "kind": "a",
    "size": 3,
    "name": "x",
    "split": [0.8, 0.1, 0.1],
    "overwrite": False,
    "runs": None,
    "labels": None,
    "colors": ("red",),
    "group": None,
}


def parsed(*arguments: str) -> dict[str, Any]:
    return parse("difffake work", work, (), arguments).arguments


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("--manifest a b -- f g", {"manifest": [Path("a"), Path("b")], "files": [Path("f"), Path("g")]}),
        ("f --manifest a", {}),
        ("f --manifest a --kind b g", {"kind": "b", "files": [Path("f"), Path("g")]}),
        ("f --manifest=[a,b]", {"manifest": [Path("a"), Path("b")]}),
        ("f --split 1 0 0 --manifest 1", {"split": [1, 0, 0], "manifest": [Path("1")]}),
        ("f --manifest a --overwrite --name 001", {"overwrite": True, "name": "001"}),
        ("f --manifest a --overwrite=True --runs 2", {"overwrite": True, "runs": 2}),
        ("f --overwrite false --runs none --manifest a", {}),
        ("f --manifest a --group none", {"group": "none"}),
        ("f --manifest a --group null", {}),
        ("f --manifest a --colors blue red", {"colors": ["blue", "red"]}),
        ("f --manifest a --labels 001 1e5 a,b", {"labels": ["001", "1e5", "a,b"]}),
    ],
)
def test_values(line: str, changed: dict[str, Any]) -> None:
    plain = DEFAULTS | {"files": [Path("f")], "manifest": [Path("a")]}
    assert parsed(*line.split()) == plain | changed


def test_positional_values_are_passed_by_place() -> None:
    found = parse("difffake work", work, (), ["f", "--manifest", "a"])
    assert found.args[:2] == ([Path("f")], [Path("a")])


def test_a_config_may_give_one_value_for_a_list(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("manifest: z\nlabels: one\noverwrite: true\nsplit: [1, 0, 0]\n")
    found = parsed("f", "--config", str(config), "--size", "4")
    assert (found["manifest"], found["labels"], found["overwrite"], found["size"]) == ([Path("z")], ["one"], True, 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("f --manifest a --sise 3", "--sise is not an option: did you mean --size?"),
        ("f --manifest a --sise=3", "--sise is not an option: did you mean --size?"),
        ("f --manifest a --size many", "--size many: give a whole number"),
        ("f --manifest a --size 0", "--size 0 must be at least 1"),
        ("f --manifest a --runs -1", "--runs -1 must be at least 1"),
        ("f --manifest a --runs x", "--runs x: give a whole number or none"),
        ("f --manifest a --kind c", "--kind c: give one of a, b"),
        ("f --manifest a --split 1 x", "--split x: give a number, one or several"),
        ("f --manifest a --colors red green", "--colors green: give one or several of red, blue"),
        ("f --manifest a --group x", "--group x: give one of video, none"),
        ("f", "--manifest is missing"),
        ("--manifest a", "FILES is missing"),
        ("f --manifest", "--manifest needs a value"),
        ("f --manifest a --size", "--size needs a value"),
        ("f --manifest a --config /nowhere/c.yaml", "--config /nowhere/c.yaml does not exist"),
    ],
)
def test_mistakes(line: str, message: str) -> None:
    with pytest.raises(UsageError) as found:
        parsed(*line.split())
    assert str(found.value) == message


def test_a_config_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"PK\x80\x81")
    with pytest.raises(UsageError, match="--config is not a text file"):
        parsed("f", "--manifest", "a", "--config", str(tmp_path / "best.ckpt"))


def test_a_mistyped_option_in_a_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("manifset: z\n")
    with pytest.raises(UsageError, match="in the config, manifset is not an option: did you mean --manifest"):
        parsed("f", "--config", str(tmp_path / "c.yaml"))


def test_help_is_short_and_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parsed("--help")
    text = capsys.readouterr().out
    assert "usage: difffake work FILES ... --manifest MANIFEST ... [options]" in text
    assert "--kind {a,b}" in text
    assert "shares (default: 0.8 0.1 0.1)" in text
    assert "100 % of it" in text
    assert max(map(len, text.splitlines())) <= 80


def test_long_examples_are_folded_before_an_option() -> None:
    text = shown(["difffake fit " + " ".join(f"--option{n} value" for n in range(10))])
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("\\\n      ", "") == "examples:\n  difffake fit " + " ".join(
        f"--option{n} value" for n in range(10)
    )


def test_an_option_is_known_by_its_last_name() -> None:
    options = ["--model.optimizer.lr", "--model.weights", "--data.manifest", "--out"]
    assert did_you_mean("--lr", options).endswith("did you mean --model.optimizer.lr?")
    assert did_you_mean("--manifset", options).endswith("did you mean --data.manifest?")
    assert did_you_mean("--data.manifset", options).endswith("did you mean --data.manifest?")
    assert did_you_mean("--zzz", options) == "--zzz is not an option: --help lists the options"
