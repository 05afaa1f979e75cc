"""Options of a command: from the signature and docstring of its function, in one spelling everywhere.

A list is written `--manifest a b`, or `--manifest '[a, b]'`, and in YAML as a list or as the only value. What is wrong
with the options ends in one line, never in the whole usage.
"""

import argparse
import difflib
import inspect
import json
import re
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from docstring_parser import parse as parse_docstring
from jsonargparse import ActionConfigFile, ArgumentParser, DefaultHelpFormatter

from difffake.errors import UsageError

SIMPLE = (str, int, float, bool, Path)
"""Types whose value is one word of a command line."""
WIDTH = 80
"""Columns that the help of a command fits into."""
EXAMPLES = "examples:"
"""How the end of a help text begins."""
_METAVARS = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


@dataclass(frozen=True)
class AtLeast:
    """The smallest value of an option, noted where the option is defined: `workers: Annotated[int, AtLeast(0)] = 2`.

    Args:
        value: smallest allowed value. Of an option with several values, each must be as large.
    """

    value: float


class HelpFormatter(DefaultHelpFormatter):
    """Short help: an option, what it does, and its default as it would be typed."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = (action.help or "").rstrip(".")
        if isinstance(action, argparse._HelpAction):
            return "show this help"
        if action.dest == "print_config":
            return "print all options with their values as YAML, then exit"
        if isinstance(action, ActionConfigFile) or not action.option_strings:
            return text
        if action.required:
            return f"{text} (required)"
        if action.default is None or action.default is False or action.default in ("", argparse.SUPPRESS):
            return text
        return f"{text} (default: {typed(action.default)})"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLES):
            return text
        return argparse.HelpFormatter._fill_text(self, text, width, indent)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        kind = type_of(action)
        several = " ..." if action.nargs == "+" or element(kind) else ""
        if not action.option_strings:
            return action.dest.upper() + several
        name = next((o for o in action.option_strings if o.startswith("--") and not o.endswith("+")), "")
        if isinstance(action, argparse._HelpAction):
            return ", ".join(action.option_strings)
        if isinstance(action, ActionConfigFile):
            return f"{name} FILE"
        if kind in (bool, None) or action.nargs == 0:
            return name
        kinds = [inner for part in parts(kind) for inner in parts(element(part) or part)]
        choices = [str(value) for part in kinds if get_origin(part) is Literal for value in get_args(part)]
        if choices and len("".join(choices)) < WIDTH // 2:
            return f"{name} {{{','.join(choices)}}}{several}"
        return f"{name} {next((_METAVARS[part] for part in kinds if part in _METAVARS), 'VALUE')}{several}"


class Parser(ArgumentParser):
    """jsonargparse's parser, with lists in one spelling and errors of one line."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # type: ignore[override]
        """Parse as jsonargparse does; the values of each list are joined before."""
        return super().parse_args(None if args is None else joined(self, args), *rest, **options)

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


def parts(kind: Any) -> tuple[Any, ...]:
    """Members of a union; a tuple of the type itself if it is none."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def element(kind: Any) -> Any:
    """Type of the values of a list of words, alone or in a union; None for what is not such a list."""
    for part in parts(kind):
        inner = [argument for argument in get_args(part) if argument is not Ellipsis]
        words = all(p in SIMPLE or get_origin(p) is Literal for argument in inner for p in parts(argument))
        if get_origin(part) in (list, tuple, Sequence) and inner and words:
            return inner[0]
    return None


def type_of(action: argparse.Action) -> Any:
    """The type that an option was declared with, or None."""
    return getattr(action, "_typehint", None) or action.type


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
        if not _is_option(word):
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
        while limit and rest and not _is_option(rest[0]):
            given.append(rest.pop(0))
            limit -= 1
        if rest and not takes_words and given and not _is_option(rest[0]):
            parser.error(f"{name} takes one value, so {rest[0]} is one too many")
        if not given and action and action.nargs != 0 and kind not in (bool, None):
            parser.error(f"{name} needs a value")
        if not given:
            found.append(f"{name}=true" if kind is bool else name)
        else:
            found.append(f"{name}={_one_word(kind, given)}")
    return [*found, *(["--"] if any(map(_is_option, words)) else []), *words]


def _one_word(kind: Any, given: list[str]) -> str:
    """The values of an option as one word, in YAML if they are several."""
    alone = len(given) == 1
    if alone and given[0].lower() in ("none", "null") and type(None) in parts(kind):
        return "null"
    if alone and kind is bool:
        return given[0].lower()
    if alone and (not (item := element(kind)) or item in parts(kind) or re.fullmatch(r"\[.*\]", given[0], re.DOTALL)):
        return given[0]
    item = element(kind)
    texts = {str, Path} & set(parts(item)) or get_origin(item) is Literal
    return f"[{', '.join(json.dumps(value, ensure_ascii=False) if texts else value for value in given)}]"


def _is_option(word: str) -> bool:
    return bool(re.match(r"-[^\d.]|-\.?$", word)) and word != "-"


def typed(value: Any) -> str:
    """A value as it would be typed on a command line.

    >>> typed((30, 95)), typed(True), typed(None)
    ('30 95', 'true', 'none')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(typed, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def shown(examples: Sequence[str]) -> str:
    """Examples as the end of a help text, lines that are too long folded before an option."""
    lines = [EXAMPLES]
    for example in examples:
        line = " "
        for part in re.split(r" (?=--)", example):
            if len(line) + len(part) > WIDTH - 3 and line.strip():
                lines.append(f"{line} \\")
                line = "     "
            line += f" {part}"
        lines.append(line)
    return "\n".join(lines)


def one_line(parser: ArgumentParser, message: str) -> str:
    """What jsonargparse says of wrong arguments, as one line, with the option that may be meant."""
    options = list(parser._option_string_actions)
    if match := re.search(r"unrecognized arguments: (.*)", message, re.DOTALL):
        words = match[1].split()
        name = next((word.partition("=")[0] for word in words if _is_option(word)), None)
        return did_you_mean(name, options) if name else f"{words[0]} is not expected here: an option begins with --"
    if match := re.search(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'", message):
        name = match[1] or match[2]
        group = re.search(r"Group '([^']+)'", message)
        return "in the config, " + did_you_mean(f"{group[1]}.{name}" if group else name, options)
    if match := re.search(r"arguments are required: (.*)", message):
        names = [_name(parser, name) for name in match[1].split(", ")]
        return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
    if match := re.search(r'Parser key "([^"]+)":\s*(.*)', message, re.DOTALL):
        name, reason = _name(parser, match[1]), match[2]
        action = parser._option_string_actions.get(name)
        value = re.search(r"Given value: (.*)", reason, re.DOTALL) or re.search(r"Got value: (.*)", reason, re.DOTALL)
        wanted = described(type_of(action)) if action else ""
        if value and wanted:
            return f"{name} {_flat(value[1])}: give {wanted}"
        if missing := re.search(r"File does not exist: '?([^']+)", reason):
            return f"{name} {missing[1]} does not exist"
        reasons = [line.strip(" -") for line in reason.splitlines() if line.lstrip().startswith("- ")]
        reason = _flat(reasons[0] if reasons else reason)
        return f"{name}.{reason}" if re.fullmatch(r"\w+ is missing", reason) else f"{name}: {reason}"
    return _flat(message)


def described(kind: Any) -> str:
    """What values a type has, in words; empty for what is no word of a command line."""
    if item := element(kind):
        inner = described(item)
        return f"one or several of {inner[7:]}" if inner.startswith("one of ") else f"{inner}, one or several"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    found = []
    for part in parts(kind):
        if get_origin(part) is Literal:
            found.append("one of " + ", ".join(map(str, get_args(part))))
        elif part is type(None):
            found.append("none")
        elif part in names:
            found.append(names[part])
        else:
            return ""
    return " or ".join(found)


def _name(parser: ArgumentParser, key: str) -> str:
    """A key of jsonargparse as it is typed: an option, or the name of a positional value."""
    strings = [option for action in parser._actions if action.dest == key for option in action.option_strings]
    option = next((string for string in strings if string.startswith("--")), None)
    positional = any(a.dest == key and not a.option_strings for a in parser._actions)
    return option or (key.upper() if positional else key if key.startswith("--") else f"--{key}")


def _flat(text: str) -> str:
    return " ".join(text.split())


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """That there is no option of this name, and which one of those `known` comes next to it.

    >>> did_you_mean("--weights", ["--model.weights", "--out"])
    '--weights is not an option: did you mean --model.weights?'
    """
    last = {option: re.split(r"[.]|--", option)[-1] for option in known}
    plain = name.strip("-").replace("-", "_")
    guesses = [option for option in known if option.strip("-").replace("-", "_") == plain]
    guesses = guesses or [option for option, end in last.items() if end == plain]
    if not guesses:
        guesses = difflib.get_close_matches(name, known, 1, 0.75)
    if not guesses and (close := difflib.get_close_matches(plain, last.values(), 1, 0.75)):
        guesses = [option for option, end in last.items() if end == close[0]]
    advice = f"did you mean {' or '.join(guesses[:3])}?" if guesses else "--help lists the options"
    return f"{name} is not an option: {advice}"
