"""Reader of DeepSpeak v1 and v2: people talking and gesturing before webcams, and fakes of them by several engines.

    annotations-real.csv          identity,video-file,...
    annotations-fake.csv          video-file,kind,engine,identity-source,identity-target,recording-source,...
    annotations-split-def.csv     identity,split; train or test
    **/*.mp4                      87-0.mp4 is recording 0 of person 87; unpacked where you like

Source: the data set's page on Hugging Face (faridlab/deepspeak_v2) and loaders that others published for it: the
names of the columns are certain, and where its archives unpack to is not, so that videos are found by name.
"""

from pathlib import Path

from difffake.errors import UserError
from difffake.readers.item import SPLITS, Item, name_of
from difffake.readers.lists import read_csv
from difffake.readers.reader import Reader
from difffake.readers.rows import find_videos, report_rows

FAKE_COLUMNS = ("video-file", "engine", "identity-source", "identity-target")
REALS, FAKES, PEOPLE = "annotations-real.csv", "annotations-fake.csv", "annotations-split-def.csv"


def read_deepspeak(root: Path) -> list[Item]:
    """The videos of DeepSpeak in its split by people; a fake is in the split of the person whom it shows.

    Its target and source are the recordings that the list names, else that person's first. Its method is the engine.
    Listed videos that are missing are counted, and stay among the items. Raises `UserError` if a list is missing or
    lacks a column, or a person has no split.
    """
    split_of: dict[str, str] = {}
    for row in read_csv(root / PEOPLE, "in which split people are", ("identity", "split")):
        if (split := row["split"].strip().lower()) not in SPLITS:
            raise UserError(
                f"{root / PEOPLE}: split {split!r} of person {row['identity']} is unknown: use {', '.join(SPLITS)}"
            )
        split_of[row["identity"].strip()] = split
    there = find_videos(root)
    listed: dict[str, Path] = {}
    items: list[Item] = []
    recordings: dict[str, list[str]] = {}

    def add(row: dict[str, str], person: str, table: str, **fields: str | int) -> None:
        name = row["video-file"].strip()
        file = listed.setdefault(name, there.get(name, root / name))
        if person not in split_of:
            raise UserError(f"{root / table}: person {person!r} of {name} is not in {PEOPLE}")
        items.append(Item(file, name_of(file, root), split=split_of[person], identity=person, **fields))  # type: ignore[arg-type]

    for row in read_csv(root / REALS, "which videos are real", ("video-file", "identity")):
        person, video = row["identity"].strip(), Path(row["video-file"].strip()).stem
        recordings.setdefault(person, []).append(video)
        add(row, person, REALS, video=video, target=video)

    def recording(row: dict[str, str], which: str) -> str:
        person, number = row[f"identity-{which}"].strip(), row.get(f"recording-{which}", "").strip()
        own = recordings.get(person, [])
        return f"{person}-{number}" if f"{person}-{number}" in own else min(own, default=person)

    for row in read_csv(root / FAKES, "which videos are fake", FAKE_COLUMNS):
        engine, video = row["engine"].strip(), Path(row["video-file"].strip()).stem
        add(
            row, row["identity-target"].strip(), FAKES, label=1, method=engine, video=f"{engine}/{video}",
            target=recording(row, "target"), source=recording(row, "source"),
        )  # fmt: skip
    report_rows(listed, there, root)
    return items


READER = Reader(
    read_deepspeak,
    f"{REALS}, {FAKES}, {PEOPLE}, and their videos at any depth",
    f"people are train or test as in {PEOPLE}; no val",
    "https://huggingface.co/datasets/faridlab/deepspeak_v2",
)
