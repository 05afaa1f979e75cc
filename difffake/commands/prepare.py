"""The command `prepare`: from any data set to face crops, landmarks and a manifest."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd

from difffake.commands.parse import AtLeast
from difffake.data.manifest import Manifest, check_fractions
from difffake.data.prepare import Cropping, choose_splits, crop_items
from difffake.data.skipped import COLUMNS, SKIPPED
from difffake.errors import UsageError, UserError
from difffake.faces.crops import MARGIN
from difffake.faces.model_file import landmarker_model
from difffake.files import refuse_existing, staged_folder
from difffake.progress import console
from difffake.readers.dfd import read_dfd
from difffake.readers.ffpp import read_ffpp
from difffake.readers.folder import read_folder
from difffake.readers.item import Item
from difffake.readers.table import read_table
from difffake.readers.videos import read_videos

EXAMPLES = (
    "difffake prepare --reader folder --root lfw --out data/lfw --split 0.9 0.1 0",
    "difffake prepare --reader videos --root clips --out data/clips",
    "difffake prepare --reader table --root dfdc --table labels.csv --out data/dfdc",
)
READERS: dict[str, Callable[[Path], list[Item]]] = {
    "folder": read_folder,
    "videos": read_videos,
    "table": read_table,
    "ffpp": read_ffpp,
    "dfd": read_dfd,
}


def prepare(
    reader: str,
    root: Path,
    out: Path,
    dataset: str = "",
    table: str = "manifest.csv",
    split: Annotated[Sequence[float], AtLeast(0)] = (0.8, 0.1, 0.1),
    split_by: Literal["identity", "original", "video", "none"] | None = None,
    frames: Annotated[int, AtLeast(1)] = 40,
    margin: Annotated[float, AtLeast(1)] = MARGIN,
    max_size: Annotated[int, AtLeast(16)] = 384,
    landmarker: Path | None = None,
    workers: Annotated[int, AtLeast(0)] = 0,
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Turn a data set into face crops with 68 landmarks, a manifest, and a list of skipped files.

    Args:
        reader: layout of the data set: folder (identity/image), videos (a folder of clips), table (a CSV with
            the columns file and label), ffpp (FaceForensics++ as it is downloaded) or dfd (DeepFakeDetection in the
            folders of FaceForensics++).
        root: folder of the data set.
        out: folder to write: manifest.parquet, crops/, skipped.csv.
        dataset: name of the data set in the manifest; by default the name of the root folder.
        table: file name of the CSV in the root folder, for the reader table.
        split: shares of train, val and test. They are not used if the data set has its own splits (a column split in
            the table, or train.json, val.json and test.json of FaceForensics++).
        split_by: keep all files of one identity, original (the real file that a fake was made from) or video in the
            same split; none splits file by file. The default is the first of these that is known for every file. A
            fake is always in the split of its source and target.
        frames: largest number of frames per video, evenly spaced over the whole clip.
        margin: side of the crop as a multiple of the side of the face's box.
        max_size: largest side of a crop in pixels; larger crops are scaled down.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        workers: number of processes; 0 is one per core.
        seed: random seed of the split.
        overwrite: replace an existing output folder.
    """
    if reader not in READERS:
        raise UsageError(f"--reader {reader} is unknown: choose one of {', '.join(READERS)}")
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder")
    check_fractions(split)
    refuse_existing(out, overwrite, [root])
    items = read_table(root, table) if reader == "table" else READERS[reader](root)
    name = dataset or root.resolve().name
    splits = choose_splits(items, name, split, split_by, seed)
    model = landmarker_model(landmarker)
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    with staged_folder(out, overwrite) as folder:
        cropped = crop_items(items, folder, Cropping(frames, margin, max_size), model, workers)
        for item_split, (found, missed) in zip(splits, cropped, strict=True):
            rows += [{**row, "split": item_split, "dataset": name} for row in found]
            skipped += [{**row, "split": item_split} for row in missed]
        if not rows:
            raise UserError(f"no face was found in any of the {len(items)} files of {root}: {skipped[0]['reason']}")
        manifest = Manifest(pd.DataFrame(rows), folder)
        manifest.write(folder / "manifest.parquet")
        pd.DataFrame(skipped, columns=COLUMNS).to_csv(folder / SKIPPED, index=False)
    _print_summary(manifest, skipped, out)


def _print_summary(manifest: Manifest, skipped: list[dict[str, Any]], out: Path) -> None:
    table = manifest.table
    counts = ", ".join(f"{split} {number}" for split, number in table["split"].value_counts(sort=False).items())
    console.print(f"{len(table)} crops ({counts}; {int(table['label'].sum())} fake) in {out}/manifest.parquet")
    lost = sum(not row["kept"] for row in skipped)
    if skipped:
        console.print(f"{lost} skipped, {len(skipped) - lost} kept with a remark: see {out}/skipped.csv")
