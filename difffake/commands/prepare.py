"""The command `prepare`: from any data set to face crops, landmarks and a manifest."""

import difflib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from difffake.commands.parse import AtLeast
from difffake.data.choice import Choice, choose_items
from difffake.data.cropping import Cropping, Part, all_done, collect, crop_units, fingerprint, units_of
from difffake.data.frame_numbers import frame_numbers
from difffake.data.manifest import Manifest, check_fractions
from difffake.data.partners import find_partners, other_frames
from difffake.data.skipped import SKIPPED, coverage
from difffake.data.splits import choose_splits
from difffake.distributed import share
from difffake.errors import UsageError, UserError
from difffake.faces.crops import MARGIN
from difffake.faces.model_file import landmarker_model
from difffake.files import refuse_existing, resumable_folder
from difffake.progress import console
from difffake.readers.item import Item
from difffake.readers.reader import Reader, find_readers
from difffake.readers.table import read_table

EXAMPLES = (
    "difffake prepare --reader folder --root lfw --out data/lfw --split 0.9 0.1 0",
    "difffake prepare --reader videos --root clips --out data/clips",
    "difffake prepare --reader table --root dfdc --table labels.csv --out data/dfdc",
    "difffake prepare --reader ffpp --root FaceForensics++ --compressions c23 --methods Deepfakes --out data/df",
    "difffake prepare --reader celeb-df --root Celeb-DF-v2 --splits test --out data/celeb-df",
    "difffake prepare --reader list",
)
SHARES = True


def prepare(
    reader: str,
    root: Path | None = None,
    out: Path | None = None,
    dataset: str = "",
    table: str = "manifest.csv",
    methods: Sequence[str] = (),
    compressions: Sequence[str] = (),
    splits: Sequence[Literal["train", "val", "test"]] = (),
    split: Annotated[Sequence[float], AtLeast(0)] = (0.8, 0.1, 0.1),
    val: Annotated[float, AtLeast(0)] = 0.1,
    split_by: Literal["identity", "original", "video", "none"] | None = None,
    as_split: Literal["train", "val", "test"] | None = None,
    frames: Annotated[int, AtLeast(1)] = 40,
    every: Annotated[int, AtLeast(0)] = 0,
    people: Literal["main", "all"] = "main",
    margin: Annotated[float, AtLeast(1)] = MARGIN,
    max_size: Annotated[int, AtLeast(16)] = 384,
    landmarker: Path | None = None,
    workers: Annotated[int, AtLeast(0)] = 0,
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Turn a data set into face crops with 68 landmarks, a manifest, and a list of skipped files.

    Args:
        reader: layout of the data set, such as folder, videos, table or ffpp; list shows all readers, with the files
            that each expects.
        root: folder of the data set (required, except for --reader list).
        out: folder to write: manifest.parquet, crops/, skipped.csv (required, except for --reader list).
        dataset: name of the data set in the manifest; by default the name of the root folder.
        table: file name of the CSV in the root folder, for the reader table.
        methods: of the fakes, only those of these manipulations, beside all real faces; real leaves out the fakes.
        compressions: only files of these compressions, such as c23, and files whose compression is unknown.
        splits: only these of the data set's own splits, such as test.
        split: shares of train, val and test. They are not used if the data set has its own splits (a column split in
            the table, or train.json, val.json and test.json of FaceForensics++).
        val: share of the split train that becomes val if the data set has its own split train but no val; 0 keeps
            train whole.
        split_by: keep all files of one identity, original (the real file that a fake was made from) or video in the
            same split; none splits file by file. The default is the first of these that is known for every file. A
            fake is always in the split of its source and target.
        as_split: put everything that is taken into this split, also where the data set has its own. With --splits val,
            test takes a published validation set as test set, where the published test set has no labels.
        frames: largest number of frames per video, evenly spaced over the clip. Videos that are source or target of
            one another get frames of the same numbers, spaced over the shortest of them.
        every: take each frame whose number is a multiple of this, instead of --frames.
        people: which of several people in a video are kept. main keeps the person who is in most of its frames (the
            largest face of a still); all keeps everyone, as tracks.
        margin: side of the crop as a multiple of the side of the face's box.
        max_size: largest side of a crop in pixels; larger crops are scaled down.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        workers: number of processes; 0 is one per core.
        seed: random seed of the split.
        overwrite: replace an existing output folder.
    """
    known = find_readers()
    if reader == "list":
        print(_listed(known))
        return
    if reader not in known:
        close = difflib.get_close_matches(reader, known, 1)
        advice = f"did you mean {close[0]}?" if close else "--reader list shows all"
        raise UsageError(f"--reader {reader} is unknown: {advice}")
    if root is None or out is None:
        raise UsageError(f"{'--root' if root is None else '--out'} is missing")
    if not root.exists():
        raise UserError(f"--root {root} does not exist")
    if root.is_file() and not known[reader].reads_file:
        raise UserError(f"--root {root} is a file: name the folder that it is in")
    check_fractions(split)
    refuse_existing(out, overwrite, [root])
    try:
        items = read_table(root, table) if reader == "table" else known[reader].read(root)
    except UserError as error:
        near = known[reader].near(root)
        raise UserError(f"{error}{f'; did you mean --root {near}?' if near else ''}") from error
    items = choose_items(items, Choice(methods, compressions), splits, root)
    _report(items, root, known[reader])
    if as_split:
        items = [replace(item, split=as_split) for item in items]
    name = dataset or (root.stem if root.is_file() else root.resolve().name)
    _refuse_missing(items, root)
    try:
        split_of = choose_splits(items, name, split, split_by, seed, val)
    except UserError as error:
        own = len({item.split for item in items} - {""})
        raise UserError(f"{error}{', or prepare one alone, such as --splits test' if own > 1 else ''}") from error
    model = landmarker_model(landmarker)
    numbers = frame_numbers(items, frames, every)
    units = units_of([Part(*part) for part in zip(items, split_of, numbers, strict=True)])
    cropping = Cropping(frames, margin, max_size, people)
    note = fingerprint(units, cropping, name, model)
    rank, ranks = share()
    found: list[tuple[Manifest, pd.DataFrame]] = []

    def finish(folder: Path) -> bool:
        if not all_done(units, folder):
            return False
        found.append(collect(units, folder, name))
        shutil.rmtree(folder / "units")
        return True

    with resumable_folder(out, note, overwrite, f"-{rank}" if ranks > 1 else "", finish) as folder:
        crop_units(units[rank::ranks], folder, cropping, model, workers)
    if found:
        _print_summary(*found[0], out)
    elif ranks > 1:
        console.print(f"share {rank + 1} of {ranks} is done; {out} is finished by the last one")


def _report(items: Sequence[Item], root: Path, reader: Reader) -> None:
    """Print what the data set's lists name and is missing, and if all of it is real or all is fake."""
    if reader.missing and (line := reader.missing(root, items)):
        console.print(line)
    labels: dict[str, set[int]] = {}
    for item in items:
        labels.setdefault(item.dataset, set()).add(item.label)
    for dataset, found in labels.items():
        if len(found) == 1 and not reader.real_only:
            console.print(f"{dataset or root} has {'fakes' if 1 in found else 'real faces'} only, as far as is chosen")


def _refuse_missing(items: Sequence[Item], root: Path) -> None:
    """Raise `UserError` before any work if most files that a list names are not there."""
    missing = [item.file for item in items if not item.file.exists()]
    if 2 * len(missing) > len(items):
        raise UserError(
            f"{len(missing)} of {len(items)} files are not there, such as {missing[0]}: complete the download, or "
            f"name the folder that they are in with --root instead of {root}"
        )


def _listed(readers: Mapping[str, Reader]) -> str:
    lines = []
    for name, reader in readers.items():
        pages = [reader.license_page] if reader.license_page else []
        lines += [name, *(f"    {text}" for text in (reader.layout, f"splits: {reader.splits}", *pages))]
    return "\n".join(lines)


def _print_summary(manifest: Manifest, skipped: pd.DataFrame, out: Path) -> None:
    table = manifest.table
    counts = ", ".join(f"{split} {number}" for split, number in table["split"].value_counts(sort=False).items())
    console.print(f"{len(table)} crops ({counts}; {int(table['label'].sum())} fake) in {out}/manifest.parquet")
    if len(skipped):
        lost = int((~skipped["kept"].astype(bool)).sum())
        console.print(f"{lost} skipped, {len(skipped) - lost} kept with a remark: see {out}/{SKIPPED}")
    covered = coverage(Manifest(table, out), "all")  # its folder has its final name by now
    if covered and covered.lost:
        console.print(str(covered))
    partners = find_partners(manifest)
    fakes = int((table["label"] == 1).sum())
    if fakes and (known := int(partners.known[table["label"] == 1].sum())):
        other = int(other_frames(table, partners).sum())
        console.print(
            f"source and target are known of {known} of {fakes} fakes"
            + (f"; {other} have them at the nearest frame of another number" if other else ", at the same frame")
        )
