"""One thing that a check found."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

Level = Literal["fault", "warning", "note"]
SHOWN = 3
"""Examples in the line of a finding."""


class Finding(NamedTuple):
    """One thing that a check found, as one line."""

    level: Level
    """fault: results on these data would be wrong, or work would stop; warning: look at it; note: good to know."""
    subject: str
    """What it is about, in a word or two, such as "identity leak"."""
    text: str
    """What was found, with counts and, where there is one, the mend."""
    examples: tuple[str, ...] = ()
    """The first few things that it was found on."""

    def __str__(self) -> str:
        """The line that is printed."""
        shown = f" ({', '.join(self.examples)})" if self.examples else ""
        return f"{self.level}: {self.subject}: {self.text}{shown}"


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Faults first, then warnings, then notes; each in the order given."""
    return sorted(findings, key=lambda found: get_args(Level).index(found.level))


def first(names: Iterable[str], count: int | None = None) -> tuple[str, ...]:
    """The first names, and ... if there are more than are shown.

    Args:
        names: all of them, or the first `SHOWN` at least.
        count: how many there are in all; by default as many as `names`.
    """
    known = list(names)
    more = (len(known) if count is None else count) > SHOWN
    return (*known[:SHOWN], *(("...",) if more else ()))


def counted(number: int, one: str, several: str = "") -> str:
    """A number with the word for one or several.

    >>> counted(1, "crop"), counted(2000, "crop"), counted(2, "person", "people")
    ('1 crop', '2,000 crops', '2 people')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
