"""Protocols: what their files plan, what is refused, and their numbers beside the published ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from difffake.errors import UserError
from difffake.evaluation.published import published_tables
from difffake.sweeps.collect import RunResult
from difffake.sweeps.protocol import make_plan, protocol_files, read_protocol, read_roots, setting_names
from difffake.sweeps.protocol_tables import TESTED_ON, beside_published

DOCS = Path(__file__).parents[2] / "docs" / "protocols.md"

NAMES = sorted(protocol_files())


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A file that names an empty folder for every data set of every protocol."""
    names = sorted({name for protocol in NAMES for name in read_protocol(protocol).roots()})
    for name in names:
        (tmp_path / name).mkdir()
    path = tmp_path / "roots.yaml"
    path.write_text(yaml.safe_dump({name: name for name in names}))
    return path


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_called_as_the_published_rows(name: str) -> None:
    protocol = read_protocol(name)
    rows = {setting.partition(TESTED_ON)[0] for setting in setting_names(protocol)}
    for table in map(published_tables().__getitem__, protocol.published):
        if table.source.startswith("DiffusionFake"):
            assert set(table.rows) <= rows
        tested = {Path(column.dataset).name for column in table.columns.values()}
        assert tested & set(protocol.test)


def test_test_data_are_official_test_splits() -> None:
    """Or whole data sets, where there are no splits; those of FF++ are in its own lists."""
    for protocol in map(read_protocol, NAMES):
        for name in set(protocol.test) - set(protocol.train):
            options = protocol.data[name]
            whole = options.get("split") == [0, 0, 1] or options.get("as_split") == "test"
            assert whole or options["splits"] == ["test"], name
        assert all(protocol.data[name]["reader"] == "ffpp" for name in protocol.train)


def test_data_are_prepared_once_for_all_protocols(roots: Path, tmp_path: Path) -> None:
    def plan(name: str) -> dict[Path, list[str] | None]:
        protocol = read_protocol(name)
        return make_plan(protocol, read_roots(roots, protocol), tmp_path / "out").prepare

    first, second, other = plan("diffusionfake"), plan("diffusionfake-components"), plan("difffake")
    assert second.keys() < first.keys()
    assert not first.keys() & other.keys()  # other frames, other compressions
    folder = next(iter(second))
    folder.mkdir(parents=True)
    (folder / "manifest.parquet").touch()
    assert plan("diffusionfake") == first | {folder: None}


def test_a_prepared_folder_is_used_as_it_is(roots: Path, tmp_path: Path) -> None:
    protocol = read_protocol("cross-manipulation")
    (tmp_path / "ffpp" / "manifest.parquet").touch()
    plan = make_plan(protocol, read_roots(roots, protocol), tmp_path / "out", seeds=[4], settings=["FaceSwap"])
    assert plan.prepare == {tmp_path / "ffpp": None}
    ((name, (fit, evaluate)),) = plan.commands()
    assert name == "FaceSwap, seed 4"
    assert {f"--data.manifest={tmp_path / 'ffpp'}", "--data.methods=[FaceSwap]", "--seed_everything=4"} < set(fit)
    assert evaluate[evaluate.index("--manifest") + 1] == str(tmp_path / "ffpp")
    assert plan.report()[1] == evaluate[evaluate.index("--out") + 1]


def test_missing_data_are_named_and_left_out_only_if_asked(roots: Path, tmp_path: Path) -> None:
    protocol = read_protocol("diffusionfake")
    found = read_roots(roots, protocol)
    some = {name: found[name] for name in ("ffpp", "dfd")}
    with pytest.raises(UserError, match=r"celeb-df, wilddeepfake, dfdc-p, diffswap not in --data.*--partial"):
        make_plan(protocol, some, tmp_path)
    plan = make_plan(protocol, some, tmp_path, partial=True)
    assert plan.left_out == ["celeb-df", "wilddeepfake", "dfdc-p", "diffswap"]
    assert [folder.name.rpartition("-")[0] for folder in plan.prepare] == ["ffpp", "dfd"]
    with pytest.raises(UserError, match="ffpp is trained on"):
        make_plan(protocol, {"dfd": found["dfd"]}, tmp_path, partial=True)
    with pytest.raises(UserError, match="no test data"):
        make_plan(protocol, {"ffpp": found["ffpp"]}, tmp_path, partial=True)
    with pytest.raises(UserError, match=r"--settings ViT-L is unknown: did you mean ViT-B\?"):
        make_plan(protocol, found, tmp_path, settings=["ViT-L"])


def test_data_of_the_environment_are_refused(roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = read_protocol("cross-manipulation")
    monkeypatch.setenv("TRAIN", "data/mine")
    with pytest.raises(UserError, match="TRAIN is set in the environment"):
        make_plan(protocol, read_roots(roots, protocol), tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"fpp": "ffpp"}, r"fpp is no data set of a protocol: did you mean ffpp\?"),
        ({"ffpp": "nowhere"}, "ffpp: .*nowhere does not exist"),
        ({"ffpp": 3}, "ffpp must name a folder"),
        (["ffpp"], "must be a file with lines such as"),
    ],
)
def test_wrong_roots_are_one_line(content: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        read_roots(write(tmp_path / "roots.yaml", content), read_protocol("difffake"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"titel": "x"}, r"titel is unknown: did you mean title\?"),
        ({"train": ["ffp"]}, r"train names ffp, which is unknown: did you mean ffpp\?"),
        ({"test": []}, "train and test must each name a data set"),
        ({"published": ["diffusionfake-9"]}, "published names diffusionfake-9"),
        ({"published": "diffusionfake-4"}, "published must be a list"),
        ({"data": {"ffpp": "ffpp"}}, "data must have names with their options"),
        ({"data": {"ffpp": {"frames": 3}}}, "ffpp has no reader"),
    ],
)
def test_mistakes_in_a_protocol_are_one_line(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    content = yaml.safe_load(protocol_files()["cross-manipulation"].read_text())
    with pytest.raises(UserError, match=words):
        read_protocol(str(write(tmp_path / "mine.yaml", content | change)))


def test_measured_and_published_numbers_stand_beside_each_other(tmp_path: Path) -> None:
    shared = {"dataset": "ffpp", "level": "frame", "score": "classifier", "auc": 0.1, "n_real": 1, "n_fake": 1}
    of_video = {**shared, "method": "Deepfakes", "compression": "c23", "level": "video", "acc_at_half": 0.1}

    def result(setting: str, seed: int, method: str, compression: str, acc: float) -> RunResult:
        row = {**shared, "method": method, "compression": compression, "acc_at_half": acc}
        return RunResult({"setting": setting, "seed_everything": seed}, tmp_path, [row, of_video], None)

    results = [
        result("ViT-B, tested on Deepfakes c23: --x 1", 0, "Deepfakes", "c23", 0.8),
        result("ViT-B, tested on Deepfakes c23: --x 1", 1, "Deepfakes", "c23", 0.9),
        result("ViT-B, tested on Face2Face c40: --x 2", 0, "Face2Face", "c40", 0.6),
        result("mine: --x 3", 0, "Face2Face", "c23", 0.7),
    ]
    (table,) = beside_published(results, published_tables()["diffusionfake-5"])
    assert table.columns == ["Deepfakes c23", "Deepfakes c40", "Face2Face c23", "Face2Face c40"]
    assert table.cells[:4] == [
        ["ViT-B", "measured", "85.0 ± 7.1", "-", "-", "60.0"],
        ["ViT-B", "published", "81.2", "73.4", "62.2", "61.9"],
        ["mine", "measured", "-", "-", "70.0", "-"],
        ["EfficientNet-B4", "published", "82.4", "67.6", "63.3", "61.4"],
    ]
    assert "ACC AT HALF" in table.title


def test_a_whole_data_set_is_not_one_of_its_manipulations(tmp_path: Path) -> None:
    shared = {"dataset": "dfdc-p", "compression": "", "level": "frame", "score": "classifier", "eer": 0.2}
    rows = [{**shared, "method": method, "auc": auc} for method, auc in (("all", 0.7), ("a", 0.5), ("b", 0.9))]
    result = RunResult({"setting": "no guide: --x null"}, tmp_path, rows, None)
    auc, eer = beside_published([result], published_tables()["diffusionfake-2"])
    assert auc.cells[0] == ["no guide", "measured", "-", "70.0"]
    assert auc.cells[1] == ["no guide", "published", "71.9", "71.8"]
    assert eer.cells[0] == ["no guide", "measured", "-", "20.0"]


def test_the_docs_have_all_protocols_and_published_numbers() -> None:
    text = DOCS.read_text()
    assert all(f"| `{name}` |" in text for name in NAMES)
    content = yaml.safe_load(DOCS.parents[1].joinpath("difffake/evaluation/published.yaml").read_text())
    for table in content.values():
        for model, cells in table["rows"].items():
            assert f"| {model} | {' | '.join(str(cells).split())} |" in text
