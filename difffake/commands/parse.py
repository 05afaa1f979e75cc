"""Options of a command: from the signature and docstring of its function, in one spelling everywhere.

A list is written `--manifest a b`, or `--manifest '[a, b]'`, and in YAML as a list or as the only value. What is wrong
with the options ends in one line, never in the whole usage.
"""

import argparse
import inspect
import json
import re
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from docstring_parser import parse as parse_docstring
from jsonargparse import ActionConfigFile, ArgumentParser

from difffake.commands.help_text import HelpFormatter, shown
from difffake.commands.mistakes import one_line
from difffake.commands.option_types import SIMPLE, element, is_option, may_be_none, parts, type_of
from difffake.errors import UsageError


@dataclass(frozen=True)
class AtLeast:
    """The smallest value of an option, noted where the option is defined: `workers: Annotated[int, AtLeast(0)] = 2`.

    Args:
        value: smallest allowed value. Of an option with several values, each must be as large.
    """

    value: float


class Parser(ArgumentParser):
    """jsonargparse's parser, with lists in one spelling and errors of one line."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # type: ignore[override]
        """Parse as jsonargparse does; the values of each list are joined before."""
        try:
            return super().parse_args(None if args is None else joined(self, args), *rest, **options)
        except UnicodeDecodeError as error:
            raise UsageError("--config is not a text file: name one in YAML") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise `UsageError` of one line."""
        raise UsageError(one_line(self, message)) from ex

    def _check_value_key(self, action: argparse.Action, value: Any, key: str, cfg: Any, append: bool = False) -> Any:
        # From YAML, a single value stands for a list of one.
        kind = type_of(action)
        if kind and element(kind) and isinstance(value, SIMPLE) and not any(part in SIMPLE for part in parts(kind)):
            value = [value]
        return super()._check_value_key(action, value, key, cfg, append)


def parse(
    prog: str, function: Callable[..., Any], examples: Sequence[str], arguments: Sequence[str]
) -> inspect.BoundArguments:
    """Arguments of `function` from the words of a command line.

    Args:
        prog: name of the command in its help, such as `difffake forge`.
        function: its parameters are the options, those before `/` are values without an option; the `Args:` of its
            docstring are their help.
        examples: command lines that the help ends with.
        arguments: words after the command's name.

    Returns:
        A value for each parameter: call `function(*found.args, **found.kwargs)`.

    Raises:
        UsageError: an option or a value is wrong.
    """
    document = parse_docstring(inspect.getdoc(function) or "")
    help_of = {entry.arg_name: entry.description or "" for entry in document.params}
    signature = inspect.signature(function, eval_str=True)
    parameters = signature.parameters
    parser = Parser(
        prog=prog,
        usage=_usage(prog, list(parameters.values())),
        description=document.short_description,
        epilog=shown(examples),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser._positionals.title = "values"
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with these options")
    bounds = {name: _add(parser, parameter, help_of[name]) for name, parameter in parameters.items()}
    values = vars(parser.parse_args(arguments))
    for name, least in bounds.items():
        for value in _numbers(values[name]):
            if least is not None and not value >= least:
                parser.error(f"{_option(parameters[name])} {value} must be at least {least}")
    found = signature.bind_partial()
    found.arguments = {name: values[name] for name in parameters}
    return found


def _add(parser: Parser, parameter: inspect.Parameter, help_text: str) -> float | None:
    """Add the option of a parameter; gives its smallest value, if there is one."""
    kind, least = _plain(parameter.annotation)
    options: dict[str, Any] = {"help": " ".join(help_text.split())}
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        item = element(kind)
        several: dict[str, Any] = {"nargs": "+"} if item else {}
        parser.add_argument(parameter.name, type=item or kind, **options, **several)
        return least
    options["required"] = parameter.default is inspect.Parameter.empty
    if not options["required"]:
        default = parameter.default
        options["default"] = list(default) if get_origin(kind) is list and isinstance(default, tuple) else default
    parser.add_argument(_option(parameter), type=kind, **options)
    return least


def _option(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return parameter.name.upper()
    return "--" + parameter.name.replace("_", "-")


def _usage(prog: str, parameters: list[inspect.Parameter]) -> str:
    words = [prog]
    for parameter in parameters:
        several = " ..." if element(_plain(parameter.annotation)[0]) else ""
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            words.append(parameter.name.upper() + several)
        elif parameter.default is inspect.Parameter.empty:
            words.append(f"{_option(parameter)} {parameter.name.upper()}{several}")
    return " ".join([*words, "[options]"])


def _plain(kind: Any) -> tuple[Any, float | None]:
    """A type without `Annotated` in it, and the bound of `AtLeast` that was there."""
    least = None
    if get_origin(kind) is Annotated:
        kind, *notes = get_args(kind)
        least = next((note.value for note in notes if isinstance(note, AtLeast)), None)
    if (origin := get_origin(kind)) in (list, tuple, Sequence, Union, types.UnionType) and get_args(kind):
        inner = [(part, None) if part is Ellipsis else _plain(part) for part in get_args(kind)]
        least = next((bound for _, bound in inner if bound is not None), least)
        arguments = tuple(part for part, _ in inner)
        kind = Union[arguments] if origin in (Union, types.UnionType) else origin[arguments]  # noqa: UP007
    return kind, least


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def joined(parser: ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Words of a command line with each option and its values in one word, positional values last.

    `--manifest a b` becomes `--manifest=["a", "b"]`, by the type that the parser knows; `--overwrite` becomes
    `--overwrite=true`; none for an option that may be left out becomes null.
    """
    takes_words = any(not action.option_strings for action in parser._actions)
    found: list[str] = []
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if not is_option(word):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        action = parser._option_string_actions.get(name)
        kind = type_of(action) if action else None
        given = [value] if equals else []
        if action is None or element(kind):
            # An option within a class that the parser does not know yet takes several values as well.
            limit = 1 if action is None and takes_words else len(rest)
        elif kind is bool:
            limit = int(bool(rest) and not equals and rest[0].lower() in ("true", "false"))
        else:
            limit = 0 if equals or action.nargs == 0 or action.dest == "print_config" else 1
        while limit and rest and not is_option(rest[0]):
            given.append(rest.pop(0))
            limit -= 1
        if rest and not takes_words and given and not is_option(rest[0]):
            parser.error(f"{name} takes one value, so {rest[0]} is one too many")
        if not given and action and action.nargs != 0 and kind not in (bool, None):
            parser.error(f"{name} needs a value")
        if not given:
            found.append(f"{name}=true" if kind is bool else name)
        else:
            found.append(f"{name}={_one_word(kind, given)}")
    return [*found, *(["--"] if any(map(is_option, words)) else []), *words]


def _one_word(kind: Any, given: list[str]) -> str:
    """The values of an option as one word, in YAML if they are several."""
    alone = len(given) == 1
    if alone and may_be_none(kind, given[0]):
        return "null"
    if alone and kind is bool:
        return given[0].lower()
    if alone and (not (item := element(kind)) or item in parts(kind) or re.fullmatch(r"\[.*\]", given[0], re.DOTALL)):
        return given[0]
    item = element(kind)
    texts = {str, Path} & set(parts(item)) or get_origin(item) is Literal
    return f"[{', '.join(json.dumps(value, ensure_ascii=False) if texts else value for value in given)}]"
