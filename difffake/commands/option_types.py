"""Type annotations of options: whether an option takes several values, and which values it takes."""

import argparse
import re
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

SIMPLE = (str, int, float, bool, Path)
"""Types whose value is one word of a command line."""


def parts(kind: Any) -> tuple[Any, ...]:
    """Members of a union type; for any other type, a tuple that holds only the type."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def element(kind: Any) -> Any:
    """Type of the items, if `kind` is a list of simple values or a union with such a list; otherwise None."""
    for part in parts(kind):
        inner = [argument for argument in get_args(part) if argument is not Ellipsis]
        words = all(p in SIMPLE or get_origin(p) is Literal for argument in inner for p in parts(argument))
        if get_origin(part) in (list, tuple, Sequence) and inner and words:
            return inner[0]
    return None


def may_be_none(kind: Any, word: str) -> bool:
    """Whether `word` (none or null) means "no value" for this type. It does not if it is one of the type's choices."""
    choices = {value for part in parts(kind) if get_origin(part) is Literal for value in get_args(part)}
    return word.lower() in ("none", "null") and type(None) in parts(kind) and word not in choices


def type_of(action: argparse.Action) -> Any:
    """The type that an option was declared with, or None."""
    return getattr(action, "_typehint", None) or action.type


def described(kind: Any) -> str:
    """Description of the values of a type, for messages; empty for types that are not simple."""
    if item := element(kind):
        inner = described(item)
        return f"one or several of {inner[7:]}" if inner.startswith("one of ") else f"{inner}, one or several"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    found = []
    for part in parts(kind):
        if get_origin(part) is Literal:
            found.append("one of " + ", ".join(map(str, get_args(part))))
        elif part is type(None):
            found += ["none"] if "none" not in " ".join(found) else []
        elif part in names:
            found.append(names[part])
        else:
            return ""
    return " or ".join(found)


def typed(value: Any) -> str:
    """The text to type on a command line for `value`.

    >>> typed((30, 95)), typed(True), typed(None)
    ('30 95', 'true', 'none')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(typed, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def is_option(word: str) -> bool:
    """Whether a word of a command line is an option, not a value such as -1 or -."""
    return bool(re.match(r"-[^\d.]|-\.?$", word)) and word != "-"
