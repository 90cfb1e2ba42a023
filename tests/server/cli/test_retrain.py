"""`glasstape retrain`."""

import shutil
import time

import polars as pl
import pytest
from glasstape.cli import main
from glasstape_server.cli import retrain
from glasstape_server.domain.times import DAY
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.promotion import promoted
from retrained import closing, known_market, trained


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    root = tmp_path_factory.mktemp("start")
    trained(root, "1", 300, spec=FeatureSpec(names=("rsi",)))
    return root


@pytest.fixture
def models(start, tmp_path):
    return shutil.copytree(start, tmp_path / "models")


def written(folder, day):
    """A file of the market up to a day."""
    frame = known_market().filter(pl.col("close_time") <= closing(day))
    text = pl.from_epoch("close_time", time_unit="us").dt.strftime("%Y-%m-%dT21:00:00Z")
    path = folder / "bars.csv"
    frame.with_columns(time=text).drop("close_time").write_csv(path)
    return path


def run(path, models, *options):
    return main(
        ["retrain", "mine", "--data", str(path), "--stamp", "close", "--models", str(models), *options]
    )


def test_runs_of_a_timer_train_shadow_and_promote(models, tmp_path, capsys):
    options = ("--once", "--margin", "0.1", "--shadow", "10d")
    assert run(written(tmp_path, 330), models, *options) == 0
    first = capsys.readouterr()
    assert first.out == "mine@1\n"
    assert "UTC trained mine@20200309.2100: a candidate, which publishes nothing" in first.err
    assert run(written(tmp_path, 345), models, *options) == 0
    second = capsys.readouterr()
    assert second.out == "mine@20200309.2100\n"
    assert "UTC promoted mine@20200309.2100 (before: mine@1): saves " in second.err
    assert promoted(models) == "mine@20200309.2100"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--margin", "0.5"), "--margin: must be 0-0.1, is 0.5"),
        (("--models", "none"), "model: mine does not exist in none; versions: none"),
    ],
)
@pytest.mark.parametrize("when", [("--once",), ("--every", "1w")])
def test_a_bad_value_is_one_sentence(tmp_path, models, capsys, options, text, when):
    assert run(tmp_path / "bars.csv", models, *when, *options) == 1
    assert capsys.readouterr().err == f"glasstape retrain: {text}\n"
    assert not (models / ".retrain").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "one of the arguments --every --once is required"),
        (("--once", "--every", "1w"), "not allowed with argument"),
        (("--every", "0d"), "argument --every: must be a number 1-99999 with the unit m, h, d or w"),
        (("--once", "--expire", "soon"), "argument --expire: must be a number 1-99999"),
        (("--once", "--keep", "0"), "argument --keep: must be 1 or more, is '0'"),
    ],
)
def test_a_bad_option_is_refused(tmp_path, models, capsys, options, text):
    with pytest.raises(SystemExit):
        run(tmp_path / "bars.csv", models, *options)
    assert text in capsys.readouterr().err


def test_a_run_without_its_file_fails_and_promotes_nothing(tmp_path, models, capsys):
    assert run(tmp_path / "missing.csv", models, "--once") == 1
    assert "missing.csv" in capsys.readouterr().err.splitlines()[-1]
    assert promoted(models) == ""


def test_rejected_data_trains_nothing(tmp_path, models, capsys):
    path = written(tmp_path, 330)
    pl.read_csv(path).with_columns(close=-pl.col("close")).write_csv(path)
    assert run(path, models, "--once") == 1
    error = capsys.readouterr().err
    assert "the data is rejected" in error
    assert error.endswith("glasstape retrain: nothing was trained\n")
    assert [folder.name for folder in (models / "mine").iterdir()] == ["1"]


def test_the_schedule_survives_a_failed_run_and_says_when_the_next_one_is_due(
    tmp_path, models, capsys, monkeypatch
):
    """Each run has a process of its own; the first two end as if they had failed and been killed."""
    statuses, waits = iter([1, -9, 0]), []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(retrain, "_in_process", lambda options: next(statuses))
    monkeypatch.setattr(time, "sleep", wait)
    assert run(tmp_path / "bars.csv", models, "--every", "1w") == 130
    lines = capsys.readouterr().err.splitlines()
    assert "UTC the run failed (exit status 1); the next one is due at 20" in lines[0]
    assert "UTC the run failed (exit status -9); the next one is due at 20" in lines[1]
    assert "UTC the run is complete; the next one is due at 20" in lines[2]
    assert waits == [pytest.approx(7 * DAY / 1e6, abs=30)] * 3


def test_a_run_in_a_process_of_its_own_reports_its_status(tmp_path, models, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: (_ for _ in ()).throw(KeyboardInterrupt))
    seen = []
    real = retrain._in_process
    monkeypatch.setattr(retrain, "_in_process", lambda options: seen.append(real(options)) or seen[-1])
    assert run(written(tmp_path, 330), models, "--every", "1w", "--shadow", "99w") == 130
    assert seen == [0]
    assert (models / "mine" / "20200309.2100").is_dir()
