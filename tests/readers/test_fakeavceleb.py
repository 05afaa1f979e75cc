"""FakeAVCeleb with its table, the header of which is a column short."""

from pathlib import Path

import pytest
from trees import grow

from difffake.data.splits import choose_splits
from difffake.errors import UserError
from difffake.readers.fakeavceleb import read_fakeavceleb

HEADER = "source,target1,target2,method,category,type,race,gender,path,"
ROWS = (  # source, target1, target2, method, category, type, then the file's name
    ("id00076", "-", "-", "real", "A", "RealVideo-RealAudio", "00109.mp4"),
    ("id00166", "-", "-", "real", "A", "RealVideo-RealAudio", "00010.mp4"),
    ("id00076", "id00166", "-", "faceswap", "C", "FakeVideo-RealAudio", "00109_id00166_3.mp4"),
    ("id00076", "id00166", "2", "wav2lip", "D", "FakeVideo-FakeAudio", "00109_2_id00166_wavtolip.mp4"),
    ("id00076", "id00166", "2", "fsgan-wav2lip", "D", "FakeVideo-FakeAudio", "00109_2_id00166_wavtolip.mp4"),
    ("id00166", "-", "-", "rtvc", "B", "RealVideo-FakeAudio", "00010_fake.mp4"),
    ("id00166", "7", "-", "fsgan", "C", "FakeVideo-RealAudio", "00010_7.mp4"),
)


def table(root: Path, rows: tuple[tuple[str, ...], ...] = ROWS, header: str = HEADER) -> list[str]:
    """Write meta_data.csv; gives the paths of its videos."""
    lines = [header]
    paths = []
    for *fields, name in rows:
        folder = f"{fields[5]}/Asian (East)/women/{fields[0]}"
        lines.append(",".join((*fields, "Asian (East)", "women", name, f"FakeAVCeleb/{folder}")))
        paths.append(f"{folder}/{name}")
    root.mkdir(exist_ok=True)
    (root / "meta_data.csv").write_text("\n".join(lines) + "\n")
    return paths


def test_fakes_show_the_person_of_the_real_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path, *table(tmp_path)[:-1], "FakeVideo-RealAudio/Asian (East)/women/id00076/00109_9.mp4")
    items = read_fakeavceleb(tmp_path)
    real, other = "Asian (East)/women/id00076/00109", "Asian (East)/women/id00166/00010"
    assert [(i.video, i.label, i.method, i.identity, i.target, i.source) for i in items] == [
        (real, 0, "real", "id00076", real, ""),
        (other, 0, "real", "id00166", other, ""),
        (f"FakeVideo-RealAudio/{real}_id00166_3", 1, "faceswap", "id00076", real, other),
        (f"FakeVideo-FakeAudio/{real}_2_id00166_wavtolip", 1, "wav2lip", "id00076", real, ""),
        (f"FakeVideo-RealAudio/{other}_7", 1, "fsgan", "id00166", other, ""),
    ]
    said = capsys.readouterr().err
    assert "1 videos left out: only their sound is fake" in said
    assert "1 rows of meta_data.csv name a file again" in said
    assert "1 of 5 videos of meta_data.csv are missing" in said
    assert (
        "1 videos are not in meta_data.csv, such as FakeVideo-RealAudio/Asian (East)/women/id00076/00109_9.mp4" in said
    )
    assert len(set(choose_splits(items, "d", (0.5, 0, 0.5), None, 0))) == 1  # a swap joins its two people


def test_a_table_that_is_missing_or_another(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"meta_data\.csv is missing"):
        read_fakeavceleb(tmp_path)
    table(tmp_path, header="file,label")
    with pytest.raises(UserError, match="has the columns file, label"):
        read_fakeavceleb(tmp_path)
    table(tmp_path, (("id1", "-", "-", "real", "A", "RealVideo", "1.mp4"),))
    with pytest.raises(UserError, match="line 2: type 'RealVideo'"):
        read_fakeavceleb(tmp_path)
    table(tmp_path)
    with pytest.raises(UserError, match=r"none of the videos of meta_data\.csv"):
        read_fakeavceleb(tmp_path)
