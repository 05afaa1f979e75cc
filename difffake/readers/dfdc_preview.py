"""Reader of the preview of the Deepfake Detection Challenge (DFDC-P), as published.

    dataset.json                                                        label, set, target_id, swapped_id of each path
    original_videos/643049/643049_A_001.mp4                             person 643049
    method_A/1260311/1260311_C/1255229_1260311_C_001.mp4                1260311_C_001 with the face of 1255229; method_B

The videos of a folder may also lie as frames: `method_A/frames/1255229_1260311_C_001/000.png`. That a fake's target has
its last three parts as a name is as others read the names.
"""

from pathlib import Path, PurePosixPath

from difffake.errors import UserError
from difffake.readers.clips import Clip, clips_in, face_video, name_parts, report_missing
from difffake.readers.item import REAL, SPLITS, Item
from difffake.readers.lists import read_json
from difffake.readers.reader import Reader

LIST = "dataset.json"
ORIGINALS = "original_videos"


def read_dfdc_preview(root: Path) -> list[Item]:
    """The videos that dataset.json names, with its splits train and test.

    The face of a fake is that of `swapped_id`; which of that person's videos is not published, so it is one of the same
    split. It claims to show `target_id`. Videos that are missing are printed, and stay among the items so that they are
    counted as lost. Raises `UserError` if the list is missing or says something else than is published, or a video has
    another name.
    """
    facts = _read_list(root / LIST)
    tops = sorted({PurePosixPath(path).parts[0] for path in facts})
    clips = {(top, clip.name): clip for top in tops if (root / top).is_dir() for clip in clips_in(root / top)}
    known = {path: (PurePosixPath(path).parts[0], PurePosixPath(path).stem) for path in facts}
    report_missing(facts, [path for path, key in known.items() if key in clips], str(root / LIST))
    videos: dict[str, list[tuple[str, str]]] = {}
    items = []
    for path, fact in sorted(facts.items(), key=lambda pair: pair[1]["label"] != REAL):
        clip = clips.get(known[path], Clip(root / path))
        split = fact["set"]
        if fact["label"] == REAL:
            (person,) = name_parts(clip, r"(\d+)_[^_]+_\d+", "643049_A_001")
            videos.setdefault(person, []).append((split, clip.name))
            items.append(clip.item(root, video=clip.name, identity=person, target=clip.name, split=split))
        else:
            source, target, person = name_parts(clip, r"(\d+)_((\d+)_[^_]+_\d+)", "1255229_1260311_C_001")
            method = known[path][0]
            fields = {"method": method, "video": f"{method}/{clip.name}", "identity": person, "target": target}
            items.append(clip.item(root, label=1, source=face_video(source, split, videos), split=split, **fields))
    return items


def _read_list(file: Path) -> dict[str, dict[str, str]]:
    """What dataset.json says of each video."""
    try:
        facts = read_json(file, "what is real and what is a test video")
        if not facts:
            raise UserError(f"{file} names no videos: download it again")
        for path, fact in facts.items():
            real = PurePosixPath(path).parts[0] == ORIGINALS
            if fact["label"] != (REAL if real else "fake"):
                raise UserError(f"{file}: the label of {path}, {fact['label']!r}, contradicts its folder")
            if fact["set"] not in SPLITS:
                raise UserError(f"{file}: the set of {path}, {fact['set']!r}, is none of {', '.join(SPLITS)}")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise UserError(f"{file} is not the list of the DFDC preview: {error!r}") from error
    return facts


READER = Reader(
    read_dfdc_preview,
    "dataset.json, original_videos/*/*.mp4, method_A/*/*/*.mp4, method_B/*/*/*.mp4",
    "train and test of dataset.json",
    "https://ai.meta.com/datasets/dfdc/",
)
