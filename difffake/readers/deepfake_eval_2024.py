"""Reader of Deepfake-Eval-2024: images and videos that circulated in social media in 2024.

    image-metadata-publish.csv     Filename,...,Ground Truth,...,Finetuning Set
    video-metadata-publish.csv     Filename,Date,Video Ground Truth,Audio Ground Truth,Public Comments,Finetuning Set
    image-data/, video-data/       the files

The lists may also be those with links, video-metadata-publish-with-links.csv. Source: the data set's page on Hugging
Face (nuriachandra/Deepfake-Eval-2024) and its list of videos.
"""

from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count
from difffake.progress import console
from difffake.readers.item import REAL, Item, name_of, some
from difffake.readers.lists import read_csv
from difffake.readers.reader import Reader

METHOD = "in the wild"
_TRUTH = {"image": "Ground Truth", "video": "Video Ground Truth"}
_SETS = {"train": "train", "test": "test"}


def read_deepfake_eval_2024(root: Path) -> list[Item]:
    """The images and videos that are called real or fake; a video is what its pictures are, whatever its sound is.

    Those of unknown truth are left out with a line, and so are names that are no names (#NAME?, a fault of the list).
    Listed files that are missing are counted, and stay among the items. Not every fake has a face, and none is known
    by method or person. Raises `UserError` if neither list is there, or one says something else.
    """
    items: list[Item] = []
    for kind, truth in _TRUTH.items():
        lists = sorted(root.glob(f"{kind}-metadata-publish*.csv"))
        if not lists:
            continue
        unknown = missing = broken = 0
        found: list[Item] = []
        for row in read_csv(lists[0], "what is real or fake", ("Filename", truth, "Finetuning Set")):
            name, label, split = (row[column].strip() for column in ("Filename", truth, "Finetuning Set"))
            if label.lower() not in ("real", "fake", "unknown") or split.lower() not in _SETS:
                raise UserError(f"{lists[0]}: {name}: {truth} {label!r} or Finetuning Set {split!r} is another value")
            if name.startswith("#"):
                broken += 1
            elif label.lower() == "unknown":
                unknown += 1
            else:
                fake = label.lower() == "fake"
                file = root / f"{kind}-data" / name
                missing += not file.is_file()
                video = name_of(file, root) if kind == "video" else ""
                method = METHOD if fake else REAL
                found.append(Item(file, name_of(file, root), int(fake), method, _SETS[split.lower()], video))
        if left := unknown + broken:
            console.print(
                f"{lists[0]}: {count(left, 'row')} left out: {unknown} of unknown truth, {broken} without name"
            )
        if missing:
            console.print(f"{lists[0]}: {missing} of {count(len(found), kind)} missing in {root / f'{kind}-data'}")
        if missing < len(found):
            items += found
    return some(items, root, "no files of image-metadata-publish.csv or video-metadata-publish.csv are there")


READER = Reader(
    read_deepfake_eval_2024,
    "image-metadata-publish.csv, image-data/, video-metadata-publish.csv, video-data/",
    "train and test by the column Finetuning Set; no val",
    "https://huggingface.co/datasets/nuriachandra/Deepfake-Eval-2024",
)
