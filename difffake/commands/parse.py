"""Options of a command, made from the signature and docstring of its function.

A list is written `--manifest a b` or `--manifest '[a, b]'`; in YAML, as a list or as a single value. A wrong option
gives a message of one line, without the usage text.
"""

import argparse
import inspect
import json
import re
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from docstring_parser import parse as parse_docstring
from jsonargparse import ActionConfigFile, ArgumentParser

from difffake.commands.help_text import HelpFormatter, shown
from difffake.commands.mistakes import one_line
from difffake.commands.option_types import SIMPLE, element, is_option, may_be_none, parts, type_of
from difffake.errors import UsageError


@dataclass(frozen=True)
class AtLeast:
    """The smallest allowed value of an option, as in `workers: Annotated[int, AtLeast(0)] = 2`.

    Args:
        value: smallest allowed value. If an option has several values, it holds for each of them.
    """

    value: float


class Parser(ArgumentParser):
    """jsonargparse's parser, with one spelling of lists and with error messages of one line."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # type: ignore[override]
        """Join the values of each list (see `joined`), then parse as jsonargparse does."""
        try:
            return super().parse_args(None if args is None else joined(self, args), *rest, **options)
        except UnicodeDecodeError as error:
            raise UsageError("--config is not a text file: give a YAML file") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise `UsageError` with a message of one line."""
        raise UsageError(one_line(self, message)) from ex

    def _check_value_key(self, action: argparse.Action, value: Any, key: str, cfg: Any, append: bool = False) -> Any:
        # In YAML, a single value means a list of one.
        kind = type_of(action)
        if kind and element(kind) and isinstance(value, SIMPLE) and not any(part in SIMPLE for part in parts(kind)):
            value = [value]
        return super()._check_value_key(action, value, key, cfg, append)


def parse(
    prog: str, function: Callable[..., Any], examples: Sequence[str], arguments: Sequence[str]
) -> inspect.BoundArguments:
    """Parse the words of a command line into the arguments of `function`.

    Args:
        prog: name of the command in its help, such as `difffake forge`.
        function: function whose parameters define the options. Parameters before `/` are positional values of the
            command line. The `Args:` section of its docstring gives the help texts.
        examples: example command lines, shown at the end of the help.
        arguments: words after the command's name.

    Returns:
        The arguments, one per parameter: call `function(*found.args, **found.kwargs)`.

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
    """Add the option of a parameter and return its smallest allowed value, if it has one."""
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
    # The help begins with "usage: "; its lines have at most 80 characters.
    return fill(" ".join([*words, "[options]"]), 73, subsequent_indent="  ", break_on_hyphens=False)


def _plain(kind: Any) -> tuple[Any, float | None]:
    """Remove `Annotated` from a type; return the plain type and the bound that `AtLeast` gave."""
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
    """Join each option of a command line with its values into one word, and put positional values last.

    `--manifest a b` becomes `--manifest=["a", "b"]` if the parser knows `--manifest` as a list. `--overwrite` becomes
    `--overwrite=true`. The value none becomes null for an option that accepts it.
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
            # The parser does not know the options inside a class yet: such an option may take several values.
            limit = 1 if action is None and takes_words else len(rest)
        elif kind is bool:
            limit = int(bool(rest) and not equals and rest[0].lower() in ("true", "false"))
        else:
            limit = 0 if equals or action.nargs == 0 or action.dest == "print_config" else 1
        while limit and rest and not is_option(rest[0]):
            given.append(rest.pop(0))
            limit -= 1
        if rest and not takes_words and given and not is_option(rest[0]):
            parser.error(f"{name} takes one value: remove {rest[0]}")
        if not given and action and action.nargs != 0 and kind not in (bool, None):
            parser.error(f"{name} needs a value")
        if not given:
            found.append(f"{name}=true" if kind is bool else name)
        else:
            found.append(f"{name}={_one_word(kind, given)}")
    return [*found, *(["--"] if any(map(is_option, words)) else []), *words]


def _one_word(kind: Any, given: list[str]) -> str:
    """The values of an option as one word; several values are written as a YAML list."""
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
