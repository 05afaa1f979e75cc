"""The audits as findings of a check."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from difffake.data.check.finding import Finding, Level, first
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.forge import outside, shortcuts
from difffake.forge.audit import OK, UNSURE, Audited
from difffake.forge.pseudo import Kind, find_pseudo_shortcuts


class Audit(NamedTuple):
    """One audit of all methods."""

    title: str
    findings: list[Finding]
    rows: list[tuple[Audited, str]]
    """What was found of each method, with the verdict."""


def audit_shortcuts(manifests: Sequence[Manifest], workers: int, seed: int, pseudo: Sequence[Kind] = ()) -> Audit:
    """Whether trivial cues tell fakes: a warning for each method, and family of pseudo-deepfakes, where they do."""

    def find() -> tuple[list[Audited], list[str]]:
        union = Manifest.concat(manifests)
        forged = bool((union.table["label"] == 1).any()) or not pseudo
        found = shortcuts.find_shortcuts(union, workers, seed) if forged else []
        return [*found, *(find_pseudo_shortcuts(manifests, pseudo, workers, seed) if pseudo else [])], []

    return _audit("shortcuts", shortcuts.TITLE, find, shortcuts.verdict, f"limit {shortcuts.LIMIT:.2f}")


def audit_outside(manifests: Sequence[Manifest], workers: int, seed: int, pseudo: Sequence[Kind] = (Kind(),)) -> Audit:
    """Whether pixels outside the forged region tell fakes: a warning for each method where they do."""

    def find() -> tuple[list[Audited], list[str]]:
        return outside.find_outside(manifests, workers, seed, pseudo)

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
