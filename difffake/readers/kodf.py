"""Reader of KoDF: Korean people, and fakes of them by six methods.

    원본영상_training_메타데이터.csv     real videos: 영상ID (the file's name), ...
    변조영상_training_메타데이터.csv     fakes: 영상ID, 타겟영상 (the real video), 변조모델 (the method), ...
    원본영상_validation_메타데이터.csv, 변조영상_validation_메타데이터.csv
    **/*.mp4                         unpacked where you like

Source: scripts that others published for the lists of its Korean portal (AI-Hub): these columns are certain, and where
its 102 archives unpack to is not, so that videos are found by name. A real video's name begins with its person.
"""

from pathlib import Path
from typing import Any

from difffake.errors import UserError
from difffake.readers.item import Item, name_of
from difffake.readers.lists import KOREAN, read_csv
from difffake.readers.reader import Reader
from difffake.readers.rows import find_videos, report_rows

VIDEO, TARGET, METHOD = "영상ID", "타겟영상", "변조모델"
SAYS = "which videos are real or fake"
SETS = {"training": "train", "validation": "val", "test": "test"}


def read_kodf(root: Path) -> list[Item]:
    """The videos that KoDF's lists name, in its split; a fake shows the person of its target.

    Whose face was put in is not read: no published script uses a column for it. Listed videos that are missing are
    counted, and stay among the items. Raises `UserError` if there is no pair of lists, or one lacks a column.
    """
    there = find_videos(root)
    listed: dict[str, Path] = {}
    items: list[Item] = []
    lists = {name: sorted(root.rglob(f"*_{name}_메타데이터.csv")) for name in SETS}
    for name, paths in lists.items():
        for path in paths:
            fake = path.name.startswith("변조영상")
            for row in read_csv(path, SAYS, (VIDEO, TARGET, METHOD) if fake else (VIDEO,), ("utf-8-sig", KOREAN)):
                file_name = row[VIDEO].strip()
                file_name += "" if file_name.endswith(".mp4") else ".mp4"
                file = listed.setdefault(file_name, there.get(file_name, root / file_name))
                target = row[TARGET].strip().removesuffix(".mp4") if fake else file.stem
                fields: dict[str, Any] = {"label": 1, "method": row[METHOD].strip()} if fake else {}
                video = f"{fields['method']}/{file.stem}" if fake else file.stem
                person = target.partition("_")[0]
                items.append(
                    Item(
                        file,
                        name_of(file, root),
                        video=video,
                        target=target,
                        identity=person,
                        split=SETS[name],
                        **fields,
                    )
                )
    if len({item.label for item in items}) < 2:
        raise UserError(
            f"{root}: no lists such as 원본영상_training_메타데이터.csv and 변조영상_training_메타데이터.csv"
        )
    report_rows(listed, there, root)
    return items


READER = Reader(
    read_kodf,
    "원본영상_training_메타데이터.csv, 변조영상_training_메타데이터.csv, and their videos at any depth",
    "training and validation as listed",
    "https://deepbrainai-research.github.io/kodf/",
)
