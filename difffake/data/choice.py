"""Which manipulations, compressions and splits of a data set are used, and that no mixture is used unasked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from difffake.data.manifest import Manifest
from difffake.errors import UsageError, UserError
from difffake.readers.item import REAL, Item


@dataclass(frozen=True)
class Choice:
    """Names of manipulations and compressions that are used; all of them where there are none."""

    methods: Sequence[str] = ()
    """Of fakes; real faces are used in any case, and `real` alone leaves the fakes out."""
    compressions: Sequence[str] = ()
    """What has no compression, because it is not known, is used in any case."""
    options: str = "--"
    """How the command's options begin, for messages."""

    def keeps(self, methods: pd.Series, compressions: pd.Series) -> pd.Series:
        """(N,), whether each of some rows is used; the method of a real face is real."""
        keep = pd.Series(True, methods.index)
        if self.methods:
            keep &= methods.isin({*self.methods, REAL, ""})
        if self.compressions:
            keep &= compressions.isin({*self.compressions, ""})
        return keep

    def check(self, methods: pd.Series, compressions: pd.Series, where: str) -> None:
        """Raise `UserError` that lists what is there if a chosen name is not among the rows (N,), or none is left."""
        fakes = set(methods) - {REAL, ""}
        _refuse_unknown(f"{self.options}methods", self.methods, fakes | {REAL}, fakes, "no fakes", where)
        there = set(compressions) - {""}
        _refuse_unknown(f"{self.options}compressions", self.compressions, there, there, "no named ones", where)
        kept = set(methods[self.keeps(methods, compressions)])
        if lacking := [name for name in self.methods if name not in kept | {REAL}]:
            has = sorted(set(compressions[methods == lacking[0]]))
            raise UserError(f"{where} has {lacking[0]} in {', '.join(has)}, not in {', '.join(self.compressions)}")


def choose_items(items: list[Item], choice: Choice, splits: Collection[str], root: Path) -> list[Item]:
    """The files of a data set that are chosen, `splits` being some of its own; all splits where there are none.

    Raises `UserError` that lists what is there if a chosen name is not, or none of the files has a split of its own.
    """
    table = pd.DataFrame({"method": [item.method for item in items], "compression": [i.compression for i in items]})
    choice.check(table["method"], table["compression"], str(root))
    kept = choice.keeps(table["method"], table["compression"])
    items = [item for item, keep in zip(items, kept, strict=True) if keep]
    if not splits:
        return items
    own = {item.split for item in items} - {""}
    if not own:
        raise UserError(
            f"{choice.options}splits {' '.join(splits)}: {root} has no splits of its own, so --split shares it out; "
            "--split 0 0 1 makes all of it test"
        )
    _refuse_unknown(f"{choice.options}splits", splits, own, own, "none", str(root))
    return [item for item in items if item.split in splits]


def choose_rows(manifests: Sequence[Manifest], choice: Choice) -> list[Manifest]:
    """The rows of manifests that are chosen. Raises `UserError` that lists what is there if none has a chosen name."""
    methods, compressions = zip(*map(_columns, manifests), strict=True)
    where = ", ".join(str(manifest.root) for manifest in manifests)
    choice.check(pd.concat(methods, ignore_index=True), pd.concat(compressions, ignore_index=True), where)
    return [kept_rows(manifest, choice) for manifest in manifests]


def kept_rows(manifest: Manifest, choice: Choice) -> Manifest:
    """The rows of a manifest that are chosen, maybe none."""
    if not choice.methods and not choice.compressions:
        return manifest
    return Manifest(manifest.table[choice.keeps(*_columns(manifest))], manifest.root)


def refuse_mixture(manifest: Manifest, option: str) -> None:
    """Raise `UserError` that lists what is there if the splits train and val have several compressions.

    `option` is the command's that chooses.
    """
    used = manifest.table[manifest.table["split"] != "test"]
    counts = used["compression"][used["compression"] != ""].value_counts().sort_index()
    if len(counts) > 1:
        shown = ", ".join(f"{name} ({number} crops)" for name, number in counts.items())
        raise UserError(
            f"there are several compressions to train on, {shown}: choose with {option} {counts.idxmax()}, or name "
            "several to train on their mixture"
        )


def _columns(manifest: Manifest) -> tuple[pd.Series, pd.Series]:
    """Method, real for real faces whatever their column says, and compression of each row."""
    table = manifest.table
    return table["method"].where(table["label"] == 1, REAL), table["compression"]


def _refuse_unknown(
    option: str, chosen: Collection[str], known: Collection[str], shown: Collection[str], nothing: str, where: str
) -> None:
    if unknown := [name for name in chosen if name not in known]:
        advice = "; part names by blanks, not by commas" if any("," in name for name in unknown) else ""
        raise UsageError(f"{option} {', '.join(unknown)}: {where} has {', '.join(sorted(shown)) or nothing}{advice}")
