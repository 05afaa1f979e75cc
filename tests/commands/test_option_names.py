"""Every option that a message or help text of the package names exists in one of the commands."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import difffake
from difffake.commands.fit import FitCLI, FitParser
from difffake.commands.main import COMMANDS
from difffake.training.datamodule import FaceData
from difffake.training.module import DetectorTraining

OTHERS = {"--nproc-per-node", "--name", "--OPTION"}
"""Of torchrun, and stand-ins for any option."""


class _KeepParser(FitCLI):
    def parse_arguments(self, parser: FitParser, args: list[str]) -> None:  # type: ignore[override]
        raise StopIteration(parser)


def options() -> set[str]:
    with pytest.raises(StopIteration) as found:
        _KeepParser(
            DetectorTraining, FaceData, args=[], run=False, parser_class=FitParser, auto_configure_optimizers=False,
            parser_kwargs={"allow_abbrev": False},
        )  # fmt: skip
    known = set(found.value.value._option_string_actions) | {"--config", "--print_config", "--version"}
    for name in set(COMMANDS) - {"fit"}:
        module = import_module(f"difffake.commands.{name.replace('-', '_')}")
        parameters = inspect.signature(getattr(module, name.replace("-", "_"))).parameters
        known |= {"--" + parameter.replace("_", "-") for parameter in parameters}
    return known


def test_options_in_messages_exist() -> None:
    known = options()
    unknown = []
    for file in sorted(Path(difffake.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "did_you_mean(" not in node.value:
                for name in re.findall(r"(?<![\w-])--[a-zA-Z][\w.-]*", node.value):
                    name = name.rstrip(".")
                    # Options within a class that a config names are not known beforehand.
                    inner = name.startswith(("--model.regularizers.", "--trainer.logger."))
                    if name not in known | OTHERS and not inner:
                        unknown.append(f"{file}:{node.lineno}: {name}")
    assert unknown == []
