"""What `difffake fit` says of its options, right and wrong ones."""

import pytest
from tiny import TinyRun

from difffake.commands.main import main
from difffake.errors import UserError
from difffake.training.module import DetectorTraining


def test_help_shows_what_people_set_and_help_all_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    texts = []
    for option in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            main(["fit", option])
        texts.append(capsys.readouterr().out)
    short, whole = texts
    assert len(short.splitlines()) < 100
    assert max(map(len, short.splitlines())) <= 80
    assert "--data.batch_size N" in short
    assert "--trainer.val_check_interval" not in short
    assert "--trainer.val_check_interval" in whole


HOW = ": install its package, or set PYTHONPATH to the folder that contains it"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--weights none", "--weights is not an option: did you mean --model.weights?"),
        ("--model.optmizer.lr 1", "--model.optmizer.lr is not an option: did you mean --model.optimizer.lr?"),
        ("--data.batch_size many", "--data.batch_size many: give a whole number"),
        ("--trainer.logger TensorBoardLogger", "--trainer.logger.save_dir is missing"),
        ("--trainer.logger WandbLoger", "--trainer.logger WandbLoger is not a class: did you mean WandbLogger?"),
        ("--model.regularizers.a Giude", "--model.regularizers.a Giude is not a class: did you mean Guide?"),
        (
            "--model.regularizers Guide",
            "--model.regularizers Guide: give it a name of your choice, --model.regularizers.NAME Guide",
        ),
        ("--model.regularizers.a my.Own", "--model.regularizers.a: No module named 'my'" + HOW),
        ("--model.regularizers.a torch.nn.Linear", "--model.regularizers.a torch.nn.Linear is not a Regularizer"),
        (
            "--model.regularizers.a.weight 1",
            "--model.regularizers.a has no class yet: write --model.regularizers.a "
            "CLASS before --model.regularizers.a.weight",
        ),
        (
            "--model.regularizers.a Guide --model.regularizers.a.size 1",
            "--model.regularizers.a.size is not an option of its class, or --model.regularizers.a has no class yet",
        ),
        (
            "--trainer.callbacks+ my.Own",
            "--trainer.callbacks: Problem with given class_path 'my.Own': No module named 'my'" + HOW,
        ),
        (
            "--model.encoder.init_args.x 7",
            '--model.encoder: write a class and its arguments as one value, \'{"class_path": ..., "init_args": ...}\'',
        ),
        (
            "--model.regularizers.a Guide --model.regularizers.a.lamda_source 1",
            "--model.regularizers.a.lamda_source is not an option: did you mean lambda_source?",
        ),
        (
            "--model.regularizers.a Guide --model.regularizers.a.lambda_source x",
            "--model.regularizers.a.lambda_source x: give a number",
        ),
    ],
)
def test_wrong_options_are_one_line(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--data.manifest", "m", "--out", "o", *option.split()]) == 2
    assert capsys.readouterr().err == f"difffake fit: {message}\n"


def test_the_training_module_is_not_loaded_from_a_checkpoint(tiny_run: TinyRun) -> None:
    """Lightning would build it with default arguments first, whose weights are a download."""
    with pytest.raises(UserError, match=r"difffake\.models\.checkpoint\.load_detector"):
        DetectorTraining.load_from_checkpoint(tiny_run.ckpt)
