"""The help of a command: short, at most 80 columns wide, with examples."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args, get_origin

from jsonargparse import ActionConfigFile, DefaultHelpFormatter

from difffake.commands.option_types import element, parts, type_of, typed

WIDTH = 80
"""Width of a help text in columns."""
EXAMPLES = "examples:"
"""Heading of the last section of a help text."""
_METAVARS = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


class HelpFormatter(DefaultHelpFormatter):
    """Formats an option, its effect, and its default as it would be typed."""

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
        if action.default is None or action.default is False or action.default in ("", [], (), argparse.SUPPRESS):
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


def shown(examples: Sequence[str]) -> str:
    """The last section of a help text: the examples. Long lines are broken before an option."""
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
