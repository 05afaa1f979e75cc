"""Files that names, patterns and folders stand for."""

from pathlib import Path

import pytest

from difffake.errors import UserError
from difffake.predict.gather import check, expanded


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("clips/b.mp4", "clips/a.mp4", "clips/deep/c.mp4", "clips/note.txt", "odd[1].jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("clips/*.mp4", ["clips/a.mp4", "clips/b.mp4"]),
        ("clips/**/*.mp4", ["clips/a.mp4", "clips/b.mp4", "clips/deep/c.mp4"]),
        ("c*", ["clips/a.mp4", "clips/b.mp4", "clips/deep/c.mp4"]),
        ("odd[1].jpg", ["odd[1].jpg"]),  # a file of this name, not a pattern
        ("odd1.jpg", ["odd1.jpg"]),
    ],
)
def test_patterns_that_the_shell_did_not_expand(tree: Path, given: str, expected: list[str]) -> None:
    assert expanded([Path(given)])[0] == [Path(name) for name in expected]
    absolute = expanded([tree / given])[0]
    assert absolute == [tree / name for name in expected]


def test_a_pattern_that_matches_nothing_is_one_line(tree: Path) -> None:
    paths, _ = expanded([Path("clips/*.avi"), Path("clips/a.mp4")])
    assert paths == [Path("clips/*.avi"), Path("clips/a.mp4")]
    (tree / "nothing").mkdir()
    with pytest.raises(UserError, match=r"nothing holds no images or videos$"):  # and the rest goes on
        check(tree / "nothing")
    with pytest.raises(UserError, match=r"^clips/\*\.avi matches no file$"):
        check(paths[0])
    check(paths[1])
    check(Path("missing.mp4"))  # its reading says so
