"""Each config against the published settings in the docs, in both directions; and each trained for two steps."""

import contextlib
import inspect
import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny import GuidedRun

from difffake.commands.evaluate import evaluate
from difffake.commands.fit import fit
from difffake.commands.fit_anomaly import fit_anomaly
from difffake.commands.main import main
from difffake.commands.parse import parse
from difffake.commands.prepare import prepare

ROOT = Path(__file__).parents[1]
GUIDE = "model.regularizers.guide.init_args."
PAGES = {
    "difffake": "difffake", "diffusionfake": "diffusionfake", "diffusionfake-code": "diffusionfake",
    "foundation": "foundation",
}  # fmt: skip
"""Configs, and the page of docs/methods with their table."""
UNPUBLISHED = {"data.workers", "seed_everything", "model.regularizers.guide.class_path"}
"""Settings of a config that its table need not have."""
SMALL = {
    "data.batch_size": "4", "data.workers": "0", "model.weights": "none", "model.image_size": "64",
    "trainer.max_epochs": "1",
}  # fmt: skip
"""What must be small in a test."""


def tables(page: str) -> list[list[dict[str, str]]]:
    """The tables of a page, as rows by the names of columns."""
    found: list[list[dict[str, str]]] = []
    header: list[str] = []
    for line in (ROOT / "docs" / "methods" / f"{page}.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if not cells or set(cells[0]) <= set(":-"):
            header = header if cells else []
        elif not header:
            header = cells
            found.append([])
        else:
            found[-1].append(dict(zip(header, cells, strict=True)))
    return found


def published(config: str) -> dict[str, Any]:
    """Values of a config by option, as the tables of its page say."""
    column = f"`configs/{config}.yaml`"
    rows = [row for table in tables(PAGES[config]) for row in table if column in row and "option" in row]
    options = [re.sub(r"^guide\.", GUIDE, row["option"].strip("`")) for row in rows]
    assert len(options) == len(set(options))
    return {option: yaml.safe_load(row[column].strip("`")) for option, row in zip(options, rows, strict=True)}


def leaves(content: Any, name: str = "") -> dict[str, Any]:
    """Values of nested settings by dotted name."""
    if not isinstance(content, dict):
        return {name: content}
    return {
        key: value
        for part, inner in content.items()
        for key, value in leaves(inner, f"{name}.{part}"[not name :]).items()
    }


def looked_up(content: Any, option: str) -> Any:
    for part in option.split("."):
        content = content[part]
    return content


def test_tables_are_read() -> None:
    assert published("difffake")["model.optimizer.rho"] == 0.05
    assert published("difffake")["data.pseudo.alphas"] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert published("diffusionfake")[GUIDE + "lambda_source"] == 0.7
    assert published("diffusionfake-code")[GUIDE + "lambda_source"] == 1
    assert [len(published(config)) for config in PAGES] == [55, 38, 38, 23]


@pytest.mark.parametrize("config", PAGES)
def test_configs_are_as_published(config: str) -> None:
    """Options that the file leaves to the defaults of `fit` too; and whatever the file sets is in the table."""
    path = ROOT / "configs" / f"{config}.yaml"
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit):
        fit(["--config", str(path), "--print_config"])
    used = yaml.safe_load(printed.getvalue())
    wanted = published(config)
    assert {option: looked_up(used, option) for option in wanted} == wanted
    own = set(leaves(yaml.safe_load(path.read_text())))
    assert own - set(wanted) - UNPUBLISHED == set()


def commands(config: str) -> list[list[str]]:
    """Words of the commands in the first lines of a config."""
    lines = [line.removeprefix("#") for line in (ROOT / "configs" / f"{config}.yaml").read_text().splitlines()]
    text = "\n".join(lines).split("seed_everything")[0].replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if line.startswith("   difffake ")]


def test_the_anomaly_model_is_as_published() -> None:
    (table,) = (table for table in tables("difffake") if "option of `fit-anomaly`" in table[0])
    (given,) = (words for words in commands("difffake") if words[1] == "fit-anomaly")
    for row in table:
        option, value = row["option of `fit-anomaly`"].strip("`"), row["value"].removesuffix(" *").strip("`")
        default = inspect.signature(fit_anomaly).parameters[option.removeprefix("--").replace("-", "_")].default
        if row["value"].endswith("*"):
            assert given[given.index(option) + 1] == value
            assert str(default) != value
        else:
            assert option not in given
            assert yaml.safe_load(value) == default
    assert len(table) == 9


@pytest.mark.parametrize("config", [path.stem for path in sorted((ROOT / "configs").glob("*.yaml"))])
def test_commands_in_configs_are_commands(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parsers = {"prepare": prepare, "fit-anomaly": fit_anomaly, "evaluate": evaluate}
    found = commands(config)
    assert found
    for _, name, *words in found:
        if name == "fit":
            with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
                fit([*words, "--print_config"])
            assert ended.value.code == 0
        elif name in parsers:
            parse(f"difffake {name}", parsers[name], (), words)


def test_training_as_published(guided_run: GuidedRun, tmp_path: Path) -> None:
    """Two steps of each, with a small network and model; all other settings are used as they are."""
    for config in PAGES:
        small = dict(SMALL)
        small["model.encoder"] = "vit_pe_core_tiny_patch16_384" if config == "foundation" else "resnet10t"
        if config.startswith("diffusionfake"):
            small["model.diffusion.name"] = str(guided_run.diffusion)
        out = tmp_path / config
        fixed = {
            "config": ROOT / "configs" / f"{config}.yaml", "data.manifest": guided_run.seen, "out": out,
            "data.latents": tmp_path / "latents" / config, "trainer.limit_train_batches": 2,
            "trainer.limit_val_batches": 1, "trainer.enable_progress_bar": "false",
            "trainer.enable_model_summary": "false",
        }  # fmt: skip
        assert (
            main(["fit", *(part for name, value in {**fixed, **small}.items() for part in (f"--{name}", str(value)))])
            == 0
        )
        used = yaml.safe_load((out / "config.yaml").read_text())
        same = {
            option: value for option, value in published(config).items() if option not in small and value is not None
        }
        means = {name: [same[name]] * 3 for name in ("model.mean", "model.std") if name in same}
        assert {option: looked_up(used, option) for option in same} == same | means
        state = torch.load(out / "last.ckpt", weights_only=True)
        assert state["global_step"] == 2
        assert (out / "best").is_dir() == (config == "difffake")
        if config == "foundation":  # norms: 12 blocks, 3 more, of 192 channels; head: 192 weights, bias and scale
            moments = state["optimizer_states"][0]["state"].values()
            assert sum(part["exp_avg"].numel() for part in moments) == 2 * 192 * (2 * 12 + 3) + 192 + 2
