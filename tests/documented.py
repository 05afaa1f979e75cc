"""The code blocks of README.md and the documentation, and the commands in them.

A block of commands is run by a test, unless the line before it says what it needs: `<!-- needs: data, GPU -->`.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "experiments" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]  # fmt: skip
NEEDS = {
    "data": "data sets that are not in the package, or a detector that takes long to train",
    "GPU": "a GPU, or many hours without one",
    "cluster": "several machines or a scheduler",
    "network": "a download, an installation or an account",
    "minutes": "nothing but minutes of computing",
}
"""What a block may need that a test has not."""
_BLOCK = re.compile(
    r"^(?:<!-- needs: (?P<needs>[^>\n]*) -->\n)?```(?P<language>\w+)(?P<more>[^\n]*)\n(?P<text>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
_BATCH = {"train.sbatch": "fit", "prepare.sbatch": "prepare"}
_OPERATORS = {"|", "||", "&&", ";", "&", "(", ")"}


@dataclass(frozen=True)
class Block:
    """A code block."""

    page: Path
    line: int
    """Number of its first line, from 1."""
    language: str
    title: str
    """The file that the block is, if it has a title."""
    needs: frozenset[str]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a block."""

    words: tuple[str, ...]
    redirected: str = ""
    """The file that gets its standard output."""
    piped: bool = False
    """Whether it reads what the command before it prints."""


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        title = re.search(r'title="([^"]+)"', match["more"])
        needs = frozenset(filter(None, re.split(r",\s*", match["needs"] or "")))
        line = text[: match.start("language")].count("\n") + 1
        found.append(Block(page, line, match["language"], title[1] if title else "", needs, match["text"]))
    return found


def commands(text: str) -> list[Command]:
    """The commands of a shell script, in their order; loops and settings of variables are left out."""
    text = re.sub(r" *<<(\w+)(.*?)\n.*?^\1$", r"\2", text, flags=re.DOTALL | re.MULTILINE)
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "{}[]=,:+$^%@!"
        words: list[str] = []
        piped = False
        for token in [*lexer, ";"]:
            if token not in _OPERATORS:
                words.append(token)
                continue
            while words and re.match(r"[A-Z_]+=|(do|done|for)$", words[0]):
                words = [] if words[0] == "for" else words[1:]
            if words and words[0] != ">":
                target = words[words.index(">") + 1] if ">" in words else ""
                end = words.index(">") if ">" in words else len(words)
                found.append(Command(tuple(words[:end]), target, piped))
            words, piped = [], token == "|"
    return found


def difffake_words(command: Command) -> list[str]:
    """The words after `difffake` of a command that calls it, also through torchrun or a batch file; else none."""
    words = list(command.words)
    if words[0] == "difffake":
        return words[1:]
    if "-m" in words and words[words.index("-m") + 1] == "difffake":
        return words[words.index("-m") + 2 :]
    for place, word in enumerate(words):
        if words[0] == "sbatch" and word.endswith(".sbatch"):
            rest = words[place + 1 :]
            # experiments/cluster/sweep.sbatch FILE OUT
            return ["sweep", rest[0], "--out", rest[1]] if "/sweep." in word else [_BATCH[Path(word).name], *rest]
    return []
