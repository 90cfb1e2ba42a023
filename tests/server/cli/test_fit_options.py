"""Options of the fit: `glasstape train --patience --learning-rate --weight-decay --batch`."""

from datetime import timedelta

import pytest
from glasstape.cli import main
from glasstape_server.models.artifact import load

BASE = ("train", "--arch", "linear", "--data", "sample", "--epochs", "1")


def fitted(folder, *options):
    name = ("--out", str(folder), "--name", "m")
    assert main([*BASE, *name, *options]) == 0
    return load(folder / "m" / "1").manifest.data.fit


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--learning-rate", "0"), "--learning-rate: must be above 0, at most 1, is 0.0"),
        (("--learning-rate", "nan"), "--learning-rate: must be above 0, at most 1, is nan"),
        (
            ("--learning-rate", "1.5", "--arch", "trees"),
            "--learning-rate: must be above 0, at most 1, is 1.5",
        ),
        (("--weight-decay", "-0.1"), "--weight-decay: must be 0-1, is -0.1"),
        (("--rounds", "513", "--arch", "trees"), "--rounds: must be 1-512, is 513"),
        (("--seed", "-1"), "--seed: must be 0-2,147,483,647, is -1"),
        (
            ("--learning-rate", "0.01", "--arch", "linear,trees"),
            "--learning-rate: must be set for networks or for trees alone, --arch has linear and trees",
        ),
    ],
)
def test_a_bad_value_is_one_sentence_and_nothing_is_trained(tmp_path, capsys, options, text):
    assert main([*BASE, "--out", str(tmp_path / "out"), *options]) == 1
    assert capsys.readouterr().err == f"glasstape train: {text}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--patience", "--batch", "--epochs"])
def test_a_count_of_0_is_refused(tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        main([*BASE, "--out", str(tmp_path / "out"), option, "0"])
    assert f"argument {option}: must be 1 or more, is '0'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_options_reach_the_fit_and_the_manifest(tmp_path):
    options = ("--learning-rate", "0.5", "--weight-decay", "0", "--patience", "1", "--batch", "4096")
    fit = fitted(tmp_path, *options, "--epochs", "9")
    expected = {"learning_rate": 0.5, "weight_decay": 0.0, "patience": 1, "batch": 4096, "epochs": 9}
    assert fit == expected


def test_trees_have_their_own_defaults(tmp_path):
    fit = fitted(tmp_path, "--arch", "trees", "--rounds", "3", "--patience", "2")
    assert (fit["learning_rate"], fit["patience"], fit["rounds"]) == (0.05, 2, 3)


def test_a_model_expires_after_the_last_close_of_its_data(tmp_path):
    fitted(tmp_path / "a", "--expire", "4w")
    manifest = load(tmp_path / "a" / "m" / "1").manifest
    assert manifest.expires == manifest.data.seen_until + timedelta(weeks=4)
    assert manifest.expired(int(manifest.expires.timestamp() * 1e6))
    assert not manifest.expired(int(manifest.expires.timestamp() * 1e6) - 1)
    fitted(tmp_path / "b", "--expire", "never")
    manifest = load(tmp_path / "b" / "m" / "1").manifest
    assert manifest.expires is None
    assert b"expires" not in manifest.to_bytes()
