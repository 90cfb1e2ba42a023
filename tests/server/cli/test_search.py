"""`glasstape train --search`."""

import json
import sys

import pytest
from glasstape.cli import main
from glasstape_server.evaluation import search as searching
from glasstape_server.models.artifact import load

BASE = ("train", "--data", "sample", "--arch", "linear,conv1d", "--name", "best", "--epochs", "1")
SMALL = ("--folds", "2", "--windows", "300", "--processes", "1")


def run(folder, *options):
    return main([*BASE, *SMALL, "--out", str(folder), *options])


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    assert run(folder, "--search", "3", "--seed", "5") == 0
    return folder


def test_the_best_trial_is_trained_once_and_all_trials_are_kept(searched):
    assert sorted(path.name for path in searched.iterdir()) == [".search", "best"]
    manifest = load(searched / "best" / "1").manifest
    kept = json.loads((searched / ".search" / "best-1" / "search.json").read_text())
    assert [trial["number"] for trial in kept["trials"]] == [1, 2, 3]
    assert kept["seeds"] == [5]
    best = max(kept["trials"], key=lambda trial: trial["log_loss_gain"])
    assert kept["best"] == best["number"]
    assert manifest.architecture.name == best["architecture"]
    assert manifest.data.fit == best["options"]
    assert manifest.data.seed == 5


def test_the_manifest_states_the_trials_and_the_interval_that_allows_for_them(searched):
    metrics = load(searched / "best" / "1").manifest.metrics
    kept = json.loads((searched / ".search" / "best-1" / "search.json").read_text())
    assert metrics["search/trials"] == 3
    for name, figure in kept["figures"].items():
        assert metrics[f"search/{name}"] == figure["value"]
        assert metrics[f"search/{name}_low"] == figure["selected"]["low"] <= figure["alone"]["low"]
    page = (searched / ".search" / "best-1" / "report.html").read_text()
    assert "allowing for the choice among 3 trials" in page
    assert "White 2000, A reality check for data snooping" in page
    assert all(f"<td>{trial['number']}</td>" in page for trial in kept["trials"])


def test_an_interrupted_search_resumes_and_the_terminal_holds_our_lines_alone(
    searched, tmp_path, capfd, monkeypatch
):
    real, fits = searching.run_fit, []

    def run_fit(task):
        fits.append(task)
        if len(fits) == 4:
            raise KeyboardInterrupt
        return real(task)

    monkeypatch.setattr(searching, "run_fit", run_fit)
    assert run(tmp_path, "--search", "3", "--seed", "5") == 130
    error = capfd.readouterr().err
    assert error.endswith("glasstape train: interrupted; --resume continues after the last epoch or trial\n")
    assert not (tmp_path / "best").exists()
    assert run(tmp_path, "--search", "3", "--seed", "5", "--resume") == 0
    error = capfd.readouterr().err
    assert "trial 1 of 3" not in error
    assert "trial 2 of 3: conv1d (learning_rate 0.001, weight_decay 0.01, batch 256): log loss" in error
    assert "best of 3 trials (0 failed)" in error
    for word in ("optuna", "study", "[I ", "Trial ", "alembic"):
        assert word not in error.replace(str(tmp_path), "")
    one, two = (load(folder / "best" / "1").manifest.digest for folder in (searched, tmp_path))
    assert one == two


def test_a_version_that_exists_is_refused_before_the_search(searched, capsys, monkeypatch):
    monkeypatch.setattr(searching, "run_fit", lambda task: pytest.fail("fitted"))
    assert run(searched, "--search", "3") == 1
    assert "best/1: this version exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--search", "10001"), "--search: must be 1-10,000, is 10001"),
        (
            ("--search", "2", "--ensemble"),
            "--ensemble: must not be set with --search, which trains one model",
        ),
        (("--search", "2", "--learning-rate", "2"), "--learning-rate: must be above 0, at most 1, is 2.0"),
    ],
)
def test_a_bad_value_is_one_sentence_and_nothing_is_written(tmp_path, capsys, options, text):
    assert run(tmp_path / "out", *options) == 1
    assert capsys.readouterr().err == f"glasstape train: {text}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "text"), [(("--folds", "5000"), "folds: "), (("--version", "a/b"), "version: must")]
)
def test_a_search_that_cannot_start_leaves_nothing(tmp_path, capsys, options, text):
    assert run(tmp_path / "out", "--search", "2", *options) == 1
    assert text in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_search_of_0_trials_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "out", "--search", "0")
    assert "argument --search: must be 1 or more, is '0'" in capsys.readouterr().err


def test_without_optuna_one_sentence_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(tmp_path / "out", "--search", "2") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glasstape train: --search: requires Optuna: pip install 'glasstape[search]'")
    assert not (tmp_path / "out").exists()
