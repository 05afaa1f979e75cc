"""The audits as findings of a check."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from difffake.data.check.finding import Finding, Level, first
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.forge import outside, shortcuts
from difffake.forge.audit import OK, UNSURE, Audited


class Audit(NamedTuple):
    """One audit of all methods."""

    title: str
    findings: list[Finding]
    rows: list[tuple[Audited, str]]
    """What was found of each method, with the verdict."""


def audit_shortcuts(manifest: Manifest, workers: int, seed: int) -> Audit:
    """Whether trivial cues tell fakes: a warning for each method where they do."""

    def find() -> tuple[list[Audited], list[str]]:
        return shortcuts.find_shortcuts(manifest, workers, seed), []

    return _audit("shortcuts", shortcuts.TITLE, find, shortcuts.verdict, f"limit {shortcuts.LIMIT:.2f}")


def audit_outside(manifests: Sequence[Manifest], workers: int, seed: int) -> Audit:
    """Whether pixels outside the forged region tell fakes: a warning for each method where they do."""

    def find() -> tuple[list[Audited], list[str]]:
        return outside.find_outside(manifests, workers, seed)

    return _audit("outside the mask", outside.TITLE, find, outside.verdict, f"limit {outside.LIMIT:.2f}")


def _audit(
    subject: str,
    title: str,
    find: Callable[[], tuple[list[Audited], list[str]]],
    verdict: Callable[[Audited], str],
    limit: str,
) -> Audit:
    try:
        found, left_out = find()
    except UserError as error:
        return Audit(title, [Finding("warning", subject, f"not audited: {error}")], [])
    rows = [(row, verdict(row)) for row in found]
    findings = []
    for row, said in rows:
        level: Level = "note" if said == OK else "warning"
        strongest = "" if said == OK else f"; most by {row.strongest}"
        said = f"{said}, too few people" if said == UNSURE else said
        text = f"{row.name}: {said}, AUC {row.interval} of real against fake ({limit}){strongest}"
        findings.append(Finding(level, subject, text))
    if left_out:
        text = f"{len(left_out)} methods not audited: too little outside, or too few people"
        findings.append(Finding("warning", subject, text, first(left_out)))
    return Audit(title, findings, rows)
