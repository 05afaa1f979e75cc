"""One-line messages about mistakes on a command line, with the option that was probably meant."""

import difflib
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from difffake.commands.option_types import described, is_option, type_of


def one_line(parser: ArgumentParser, message: str) -> str:
    """Shorten a message of jsonargparse about wrong arguments to one line.

    Args:
        parser: parser that raised the error; its options are suggested for unknown ones.
        message: text of jsonargparse's error, possibly of many lines.

    Returns:
        One line that names the option and, if there is a similar one, the option that was probably meant.
    """
    options = list(parser._option_string_actions)
    if match := re.search(r"unrecognized arguments: (.*)", message, re.DOTALL):
        words = match[1].split()
        name = next((word.partition("=")[0] for word in words if is_option(word)), None)
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
        if "Not of type EncoderClass" in reason:
            form = """'{"class_path": ..., "init_args": ...}'"""
            return f"{name}: write a class and its arguments as one value, {form}"
        if value and "Expected a <class 'dict'>" in reason and "NestedArg" not in reason:
            return f"{name} {_flat(value[1])}: give it a name of your choice, {name}.NAME {_flat(value[1])}"
        if missing := re.search(r"File does not exist: '?([^']+)", reason):
            return f"{name} {missing[1]} does not exist"
        inner = re.search(r"NestedArg\(key='([^']+)'", reason)
        if inner and "." in inner[1]:  # a setting of a class that has a name of its own
            owner = f"{name}.{inner[1].partition('.')[0]}"
            if "Expected a dot import path string" in reason:
                return f"{owner} has no class yet: write {owner} CLASS before {name}.{inner[1]}"
            if "is not an option: --help" in reason:
                return f"{name}.{inner[1]} is not an option of its class, or {owner} has no class yet"
        return _explained(f"{name}.{inner[1]}" if inner else name, first_reason(reason), action and type_of(action))
    return _flat(message)


def first_reason(message: str) -> str:
    """The most helpful of the reasons that jsonargparse lists, one for each type that an option may have."""
    message = re.sub(r":\n *(?!Subtypes|Errors|-)(?=\w)", ": ", message)  # join a reason of two lines
    reasons = [line.strip().removeprefix("- ") for line in message.splitlines() if line.lstrip().startswith("- ")]
    telling = [reason for reason in reasons if not re.match("Expected a (<class|path but)|Does not validate", reason)]
    return _flat((telling or reasons or [message])[0])


def _explained(name: str, reason: str, kind: Any) -> str:
    """The message about a wrong value of option `name` with type `kind`, or of a setting inside the class it names."""
    if re.fullmatch(r"-*\w+ is missing", reason):
        return f"{name}.{reason.strip('-')}"
    if match := re.match(r"(?:in the config, )?(\S+) (is not an option: .*)", reason):
        within = name if name.endswith(f".{match[1]}") else f"{name}: {match[1]}"
        return f"{within} {match[2]}".replace("did you mean --", "did you mean ")
    if match := re.match(r"--(\S+) (.*: give .*)", reason):
        return f"{name} {match[2]}" if name.endswith(f".{match[1]}") else f"{name}: {match[1]} {match[2]}"
    if match := re.match(r"Expected a dot import path string: (.*)", reason):
        close = difflib.get_close_matches(match[1], {found.__name__ for found in _classes(kind)}, 1)
        advice = f"did you mean {close[0]}?" if close else "give its name, or module.Name"
        return f"{name} {match[1]} is not a class: {advice}"
    reason = re.sub("^Type .* expects a function or a callable class: |[.]* Got value: .*", "", reason)
    if match := re.match(r"Expected '(.+)' to be a subclass of <class '(?:.*[.])?(\w+)'>", reason):
        return f"{name} {match[1]} is not a {match[2]}"
    advice = (
        ": install its package, or set PYTHONPATH to the folder that contains it" if "No module named" in reason else ""
    )
    return f"{name}: {reason}{advice}"


def _classes(kind: Any) -> Iterator[type]:
    """All classes that an option of this type may name, and a few more that it may not."""
    for part in kind if isinstance(kind, list) else get_args(kind):
        yield from _classes(part)
    if isinstance(kind, type) and not get_args(kind):
        yield kind
        found: list[type] = type.__subclasses__(kind)
        for below in found:
            yield from _classes(below)


def _name(parser: ArgumentParser, key: str) -> str:
    """A key of jsonargparse as a user types it: an option, or the name of a positional value."""
    strings = [option for action in parser._actions if action.dest == key for option in action.option_strings]
    option = next((string for string in strings if string.startswith("--")), None)
    positional = any(a.dest == key and not a.option_strings for a in parser._actions)
    return option or (key.upper() if positional else key if key.startswith("--") else f"--{key}")


def _flat(text: str) -> str:
    return " ".join(text.split())


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The message that the option `name` does not exist, with the most similar of the `known` options.

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
