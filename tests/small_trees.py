"""A small tree of each published layout: lists with what is in them, and empty files."""

import json
from pathlib import Path


def _empty(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "")


def _frames(*folders: str) -> dict[str, str]:
    return _empty(*(f"{folder}/{number:03d}.png" for folder in folders for number in range(3)))


YOUTUBE, FAKES = "original_sequences/youtube/c23", "manipulated_sequences"
_IDS = ("000", "003", "001", "002", "004", "005")
_PAIRS = ("000_003", "003_000", "001_002", "002_001", "004_005", "005_004")
_UADFV = {"real": ("0000", "0001"), "fake": ("0000_fake", "0001_fake")}


def _bench() -> str:
    labels: dict[str, dict[str, dict[str, object]]] = {}
    for kind, videos in _UADFV.items():
        for split, video in zip(("train", "test"), videos, strict=True):
            frames = [f"UADFV\\{kind}\\frames\\{video}\\{number:03d}.png" for number in range(3)]
            entry = {video: {"label": f"UADFV_{kind.title()}", "frames": frames}}
            labels.setdefault(f"UADFV_{kind.title()}", {})[split] = entry
    return json.dumps({"UADFV": labels})


_DFDC = {"a.mp4": {"label": "FAKE", "original": "b.mp4", "split": "train"}, "b.mp4": {"label": "REAL"}}
_PREVIEW = {
    "original_videos/643049/643049_A_001.mp4": {"label": "real", "set": "train"},
    "method_A/643049/643049_A/2_643049_A_001.mp4": {"label": "fake", "set": "test"},
}
_AV_HEADER = "source,target1,target2,method,category,type,race,gender,path,\n"
_AV_ROWS = (
    "id1,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,FakeAVCeleb/RealVideo-RealAudio/African/men/id1\n"
    "id1,2,-,fsgan,C,FakeVideo-RealAudio,African,men,00109_2.mp4,FakeAVCeleb/FakeVideo-RealAudio/African/men/id1\n"
)
_DEEPSPEAK_FAKES = "video-file,engine,identity-source,identity-target\nf-1.mp4,facefusion,87,12\n"
_EVAL_VIDEOS = "Filename,Video Ground Truth,Finetuning Set\na.mp4,Fake,train\n"

TREES: dict[str, dict[str, str]] = {
    "ffpp": {
        "train.json": '[["000", "003"]]',
        "val.json": '[["001", "002"]]',
        "test.json": '[["004", "005"]]',
        **_empty(*(f"{YOUTUBE}/videos/{name}.mp4" for name in _IDS)),
        **_empty(*(f"{FAKES}/Deepfakes/c23/videos/{name}.mp4" for name in _PAIRS)),
    },
    "dfd": _empty(
        *(f"original_sequences/actors/c23/videos/{actor}__exit.mp4" for actor in ("01", "02")),
        f"{FAKES}/DeepFakeDetection/c23/videos/01_02__exit__YVGY8LOK.mp4",
    ),
    "celeb-df": {
        "List_of_testing_videos.txt": "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id1_id0_0007.mp4\n",
        **_empty("Celeb-real/id1_0007.mp4", "Celeb-real/id0_0007.mp4", "YouTube-real/00170.mp4"),
        **_empty("Celeb-synthesis/id1_id0_0007.mp4", "Celeb-synthesis/id1_id0_0008.mp4"),
    },
    "dfdc": {
        "dfdc_train_part_0/metadata.json": json.dumps(_DFDC),
        "test/labels.csv": "filename,label\nc.mp4,0\nd.mp4,1\n",
        **_empty("dfdc_train_part_0/a.mp4", "dfdc_train_part_0/b.mp4", "test/c.mp4", "test/d.mp4"),
    },
    "dfdc-preview": {"dataset.json": json.dumps(_PREVIEW), **_empty(*_PREVIEW)},
    "deeperforensics": {
        "lists/splits/train.txt": "000_M101.mp4\n",
        "lists/splits/val.txt": "001_M101.mp4\n",
        "lists/splits/test.txt": "002_W102.mp4\n",
        **_empty(*(f"manipulated_videos/end_to_end/{name}.mp4" for name in ("000_M101", "001_M101", "002_W102"))),
        **_empty(*(f"{YOUTUBE}/videos/{name}.mp4" for name in ("000", "001", "002"))),
    },
    "deepfakebench": {
        "dataset_json/UADFV.json": _bench(),
        **_frames(*(f"rgb/UADFV/{kind}/frames/{video}" for kind, videos in _UADFV.items() for video in videos)),
    },
    "wilddeepfake": _frames(
        *(f"{kind}_{split}/0/{kind}/103" for kind in ("real", "fake") for split in ("train", "test"))
    ),
    "diffswap": _empty("DiffSwap/a/1.png", "Real/b/1.jpg"),
    "forgerynet": {
        "Training/image_list.txt": "train_release/18/a/frame1.jpg 0 0 0\ntrain_release/1/b/frame1.jpg 1 1 1\n",
        "Validation/image_list.txt": "val_release/18/a/frame1.jpg 0 0 0\n",
        **_empty(*(f"Training/image/train_release/{name}/frame1.jpg" for name in ("18/a", "1/b"))),
        **_empty("Validation/image/val_release/18/a/frame1.jpg"),
    },
    "uadfv": _empty("real/0000.mp4", "fake/0000_fake.mp4"),
    "deepfake-timit": _empty(
        *(f"DeepfakeTIMIT/{quality}_quality/fadg0/sa1-video-fram1.avi" for quality in ("lower", "higher")),
        "VidTIMIT/fadg0/sa1.avi",
        "VidTIMIT/fram1/sa1.avi",
    ),
    "ffiw": _empty(
        *(f"FFIW10K-v1-release/{kind}/train/train_00000000.mp4" for kind in ("source", "target")),
        *(f"FFIW10K-v1-release-test/{kind}/test_00000000.mp4" for kind in ("source", "target")),
    ),
    "kodf": {
        "원본영상_training_메타데이터.csv": "영상ID\na_1.mp4\n",
        "변조영상_training_메타데이터.csv": "영상ID,타겟영상,변조모델\na_b.mp4,a_1.mp4,dffs\n",
        **_empty("x/a_1.mp4", "y/a_b.mp4"),
    },
    "fakeavceleb": {
        "meta_data.csv": _AV_HEADER + _AV_ROWS,
        **_empty("RealVideo-RealAudio/African/men/id1/00109.mp4", "FakeVideo-RealAudio/African/men/id1/00109_2.mp4"),
    },
    "df40": _frames(
        "DF40/simswap/ff/frames/000_003",
        "DF40/simswap/cdf/frames/id0_id1_0000",
        "DF40_train/simswap/frames/001_870",
        *(f"FaceForensics++/{YOUTUBE}/frames/{name}" for name in ("000", "001")),
        "Celeb-DF-v2/Celeb-real/frames/id0_0000",
    ),
    "deepspeak": {
        "annotations-split-def.csv": "identity,split\n12,train\n87,test\n",
        "annotations-real.csv": "identity,video-file\n12,12-4.mp4\n87,87-0.mp4\n",
        "annotations-fake.csv": _DEEPSPEAK_FAKES,
        **_empty("v/12-4.mp4", "v/87-0.mp4", "v/f-1.mp4"),
    },
    "deepfake-eval-2024": {
        "image-metadata-publish.csv": "Filename,Ground Truth,Finetuning Set\nx.jpg,Real,Train\n",
        "video-metadata-publish.csv": _EVAL_VIDEOS,
        **_empty("image-data/x.jpg", "video-data/a.mp4"),
    },
}
"""Content of each file by its path, by name of the reader."""


def plant(root: Path, reader: str) -> Path:
    """Write the tree of a reader's data set below `root`, and give `root`."""
    for name, text in TREES[reader].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def lists_of(reader: str) -> list[str]:
    """Paths of its lists."""
    return [name for name, text in TREES[reader].items() if text]
