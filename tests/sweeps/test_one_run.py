"""One run of a sweep: which command gets which option, and what is not done twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from difffake.errors import UserError
from difffake.sweeps import one_run
from difffake.sweeps.one_run import main, missing, read_run, stages

OPTIONS = [
    "--config=base.yaml",
    "--train=a b",
    "--test=c",
    "--teacher=model",
    "--seed_everything=3",
    "--setting=no guide: --config more.yaml --model.regularizers.guide null --test d 'e f' --evaluate.split all",
    "--anomaly.reg_covar=-1",
]


def test_every_option_goes_to_its_command(tmp_path: Path) -> None:
    run = read_run(OPTIONS, {})
    assert [command for _, command in stages(run, tmp_path, {})] == [
        [
            "fit", "--config", "base.yaml", "--config", "more.yaml", '--data.manifest=["a", "b"]',
            "--model.diffusion.name=model", "--seed_everything=3", "--model.regularizers.guide=null",
            "--out", f"{tmp_path}/fit", "--resume",
        ],
        [
            "fit-anomaly", "--ckpt", f"{tmp_path}/fit/best.ckpt", "--manifest", "a", "b",
            "--out", f"{tmp_path}/anomaly.safetensors", "--reg-covar=-1",
        ],
        [
            "evaluate", "--ckpt", f"{tmp_path}/fit/best.ckpt", "--manifest", "d", "e f",
            "--anomaly", f"{tmp_path}/anomaly.safetensors", "--out", f"{tmp_path}/evaluation", "--split=all",
        ],
    ]  # fmt: skip


def test_the_environment_names_other_data_and_a_trained_detector(tmp_path: Path) -> None:
    run = read_run(OPTIONS[1:3], {"TRAIN": "mine", "TEST": "x 'y z'", "CKPT": "best.ckpt", "TEACHER": ""})
    assert [command for _, command in stages(run, tmp_path, {})] == [
        ["evaluate", "--ckpt", "best.ckpt", "--manifest", "x", "y z", "--out", f"{tmp_path}/evaluation"]
    ]


def test_under_wandbs_agent_the_run_is_logged_there(tmp_path: Path) -> None:
    command = stages(read_run(OPTIONS, {}), tmp_path, {"WANDB_SWEEP_ID": "s"})[0][1]
    assert "--trainer.logger=lightning.pytorch.loggers.WandbLogger" in command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--train=a", "--config=b"], "no test is given: add the parameter `test` .* TEST"),
        (["--test=a", "--config=b"], "no train is given: .* TRAIN"),
        (["--test=a", "--train=b"], "no config is given: add the parameter `config` to the sweep file$"),
        (["--test=a", "--ckpt=b", "--anomaly.seed=1"], "no train is given"),
        (["a"], "a belongs to no option"),
    ],
)
def test_a_run_that_names_too_little_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_run(arguments, {})


def test_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "manifest.parquet").touch()
    (tmp_path / "empty").mkdir()  # a folder without a manifest
    options = ["--config=no.yaml", "--train=here", "--test=here empty", "--ckpt=no.ckpt", "--teacher=models/no"]
    runs = [read_run(options, {}), read_run([*options, "--seed_everything=1"], {})]
    assert missing(runs) == ["config no.yaml", "test empty", "teacher models/no", "ckpt no.ckpt"]
    assert not missing([read_run(["--train=here", "--test=here", "--ckpt=here", "--teacher=drawn-faces"], {})])


FAKE = """
import os, sys
from pathlib import Path

with open(os.environ["RUN_FOLDER"] + "/calls", "a") as file:
    print(sys.argv[1], file=file)
out = Path(sys.argv[sys.argv.index("--out") + 1])
if sys.argv[1] != os.environ.get("BROKEN"):
    out.parent.mkdir(exist_ok=True)
    out.touch()
sys.exit(3 if sys.argv[1] == os.environ.get("BROKEN") else 0)
"""


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake.py").write_text(FAKE)
    monkeypatch.setattr(one_run, "COMMAND", (sys.executable, str(tmp_path / "fake.py")))
    monkeypatch.setenv("RUN_FOLDER", str(tmp_path / "run"))
    monkeypatch.setenv("BROKEN", "fit-anomaly")
    for name in one_run.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert main(OPTIONS) == 3
    assert (tmp_path / "run" / "calls").read_text().split() == ["fit", "fit-anomaly"]
    monkeypatch.delenv("BROKEN")
    assert main(OPTIONS) == 0
    assert main(OPTIONS) == 0
    assert (tmp_path / "run" / "calls").read_text().split() == ["fit", "fit-anomaly", "fit-anomaly", "evaluate"]


def test_a_signal_is_handed_on_and_waited_for(tmp_path: Path) -> None:
    """As SLURM or W&B's agent stop a run: the training saves itself, and its status is the run's."""
    (tmp_path / "fake.py").write_text(
        "import os, signal, sys, time\nfrom pathlib import Path\n\nfolder = Path(os.environ['RUN_FOLDER'])\n"
        "def save(number, frame):\n    time.sleep(1)\n    (folder / 'saved').touch()\n    sys.exit(143)\n\n"
        "signal.signal(signal.SIGTERM, save)\n(folder / 'begun').touch()\ntime.sleep(60)\n"
    )
    program = (
        "import sys\nfrom difffake.sweeps import one_run\n"
        f"one_run.COMMAND = (sys.executable, {str(tmp_path / 'fake.py')!r})\nsys.exit(one_run.main({OPTIONS!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"RUN_FOLDER": str(tmp_path)})
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert (tmp_path / "saved").exists()
