"""DeepfakeTIMIT beside VidTIMIT, whose frames are JPEG files without a suffix."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.deepfake_timit import read_deepfake_timit

FAKES = tuple(
    f"DeepfakeTIMIT/{quality}/{person}/{sentence}-video-{other}.avi"
    for quality in ("lower_quality", "higher_quality")
    for person, other in (("fadg0", "fram1"), ("fram1", "fadg0"))
    for sentence in ("sa1", "si649")
)


def vidtimit(root: Path, *sequences: str) -> None:
    """Frames without suffix, which are told by their content."""
    for name in sequences:
        for number in ("001", "002"):
            file = root / "VidTIMIT" / name / number
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"\xff\xd8\xff\xe0")


def test_two_qualities_and_the_real_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vidtimit(tmp_path, "fadg0/video/sa1", "fadg0/video/head", "fram1/video/sa1", "fram1/video/sx4")
    grow(tmp_path, *FAKES, "VidTIMIT/fram1/si649.avi", "VidTIMIT/fadg0/audio/sa1.wav")
    items = read_deepfake_timit(tmp_path)
    reals = {item.video: item for item in items if not item.label}
    assert sorted(reals) == ["fadg0/sa1", "fram1/sa1", "fram1/si649", "fram1/sx4"]
    assert [number for number, _ in reals["fadg0/sa1"].images] == [1, 2]
    assert {(i.identity, i.target, i.source) for i in items if i.method == "higher_quality"} == {
        ("fadg0", "fadg0/sa1", "fram1/sa1"),
        ("fadg0", "fadg0/si649", "fram1/si649"),
        ("fram1", "fram1/sa1", "fadg0/sa1"),
        ("fram1", "fram1/si649", "fadg0/sa1"),
    }
    assert len({item.video for item in items}) == len({item.name for item in items}) == 4 + 8
    assert "1 video of turning heads left out" in capsys.readouterr().err


def test_missing_halves_and_other_names(tmp_path: Path) -> None:
    grow(tmp_path, FAKES[0])
    with pytest.raises(UserError, match="the real videos of DeepfakeTIMIT are those of VidTIMIT"):
        read_deepfake_timit(tmp_path)
    vidtimit(tmp_path, "fadg0/video/head")
    with pytest.raises(UserError, match="no videos such as fadg0/video/sa1/001"):
        read_deepfake_timit(tmp_path)
    vidtimit(tmp_path, "fadg0/video/sa1")
    with pytest.raises(UserError, match=r"sa1\.avi: its name is not like"):
        read_deepfake_timit(grow(tmp_path, "DeepfakeTIMIT/lower_quality/fadg0/sa1.avi"))
    vidtimit(tmp_path / "else", "fadg0/video/sa1")
    with pytest.raises(UserError, match="neither lower_quality nor higher_quality"):
        read_deepfake_timit(tmp_path / "else")
