"""The makers of faces are named below pictures, also of forgeries of those faces."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from difffake.commands.main import main
from difffake.data.credits import CREDIT, credit
from difffake.data.manifest import Manifest
from difffake.plots import read_caption, save_figure

LONDON = Path(__file__).parents[2] / "difffake" / "london"


def test_the_packages_own_faces_are_credited() -> None:
    real = Manifest.read(LONDON)
    assert credit(real) == (
        "Faces: Face Research Lab London Set, L. DeBruine and B. Jones 2017, CC BY 4.0, doi 10.6084/m9.figshare.5047666"
    )
    assert real.table.groupby("split")["identity"].nunique().to_dict() == {"test": 31, "train": 59, "val": 12}
    assert (real.table.groupby("identity")["split"].agg(["nunique", "size"]) == (1, 2)).all(axis=None)


def test_several_data_sets_and_none(tmp_path: Path) -> None:
    for name, text in (("a", "Faces: A,\n CC BY"), ("b", "Faces: B"), ("c", "")):
        (tmp_path / name / "crops").mkdir(parents=True)
        (tmp_path / name / "manifest.parquet").touch()
        if text:
            (tmp_path / name / CREDIT).write_text(text)
    (tmp_path / CREDIT).write_text("of another data set")  # above the folder of a manifest: not asked
    table = Manifest.read(LONDON).table.head(4)
    several = Manifest(table.assign(path=[f"{name}/crops/{row}.png" for row, name in enumerate("abca")]), tmp_path)
    assert credit(several) == "Faces: A, CC BY; Faces: B"
    assert credit(several, [1, 2]) == "Faces: B"
    assert credit(several, [2]) == ""


def test_forgeries_of_credited_faces_are_credited_and_their_pictures_carry_it(tmp_path: Path) -> None:
    real = Manifest.read(LONDON)
    some = real.table[real.table["identity"].isin(sorted(real.table["identity"])[:4])].assign(split="train")
    folder = tmp_path / "some"
    folder.mkdir()
    Manifest(pd.DataFrame(some.assign(path=[str(LONDON / path) for path in some["path"]])), folder).write(
        folder / "manifest.parquet"
    )
    (folder / CREDIT).symlink_to(LONDON / CREDIT)
    forged = tmp_path / "forged"
    command = ["forge", "--manifest", str(folder), "--methods", "alpha_swap", "--size", "96", "--workers", "1"]
    assert main([*command, "--out", str(forged)]) == 0
    assert (forged / CREDIT).read_text() == (LONDON / CREDIT).read_text()
    heights = {}
    for name in ("with", "without"):
        sheet = tmp_path / f"{name}.png"
        assert main(["preview", "--manifest", str(forged), "--out", str(sheet), "--rows", "1"]) == 0
        with Image.open(sheet) as picture:
            heights[name] = picture.height
        (forged / CREDIT).unlink(missing_ok=True)
    assert heights["with"] > heights["without"]  # a line below


def test_a_credit_covers_nothing_of_the_picture(tmp_path: Path) -> None:
    for layout in ("constrained", "none"):
        pictures = []
        for number, text in enumerate(("", "Faces: Someone 2017, CC BY 4.0")):
            figure = Figure(figsize=(3, 2), layout=layout)  # type: ignore[arg-type]
            figure.subplots().plot([0, 1])
            path = tmp_path / f"{layout}-{number}.png"
            save_figure(figure, path, "a line", credit=text)
            pictures.append(np.asarray(Image.open(path).convert("L")))
            assert read_caption(path) == "a line"
            assert (text in path.with_suffix(".svg").read_text()) or not text
        plain, credited = pictures
        above, below = credited[: len(plain)], credited[len(plain) :]
        np.testing.assert_array_equal(above, plain)
        assert below.shape[0] >= 15
        assert below[:, -1].min() == 255  # a white ground
        assert below.min() < 180  # and the text
