"""`glasstape runs`, and what `train` and `evaluate` record."""

import json

import pytest
from glasstape.cli import main
from glasstape_server.models.artifact import load
from glasstape_server.training import training_run
from glasstape_server.training.run_registry import add, read_runs
from run_records import record


def train(folder, *more):
    return main(["train", "--out", str(folder / "models"), "--arch", "linear", "--epochs", "1", *more])


def runs(folder, *more):
    return main(["runs", "--runs", str(folder / "runs"), *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trainings with other seeds, in folders of their own."""
    root = tmp_path_factory.mktemp("work")
    assert train(root / "a", "--seed", "3", "--name", "mine") == 0
    assert train(root / "b", "--seed", "4", "--name", "mine", "--seeds", "2", "--ensemble") == 0
    return root


def both(folder):
    return [word for name in "ab" for word in ("--runs", str(folder / name / "runs"))]


def recorded(folder):
    return read_runs([folder / "runs"]).records


def test_a_training_records_data_options_models_and_duration(folder):
    (run,) = recorded(folder / "a")
    model = load(folder / "a" / "models" / "mine" / "1")
    assert (run.kind, run.status, run.version) == ("train", "finished", "0.1.0")
    assert run.data.sha256 == model.manifest.data.sha256
    assert (run.data.bars, run.data.symbols, run.data.names) == (12_154, 5, ("sample",))
    assert (run.options["seed"], run.options["epochs"], run.options["arch"]) == (3, 1, ["linear"])
    assert run.options["feature_spec"] == model.spec.hash
    (saved,) = run.models
    assert (saved.name, saved.seed, saved.sha256) == ("mine@1", 3, model.manifest.digest)
    gain = saved.metrics["check/log_loss_gain"]
    metrics = model.manifest.metrics
    assert [gain.value, gain.low, gain.high] == [
        metrics[f"check/log_loss_gain{end}"] for end in ("", "_low", "_high")
    ]
    assert "check/log_loss_gain_low" not in saved.metrics
    assert saved.metrics["check/accuracy"].low is None
    assert run.duration_s > 0


def test_runs_are_listed_with_their_best_model(folder, capsys):
    assert main(["runs", *both(folder)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["run", "kind", "status"]
    assert [line.split()[0] for line in lines] == [recorded(folder / name)[0].id for name in "ab"]
    assert "12,154 bars" in lines[0]
    assert "mine@1 " in lines[0]
    assert " 3  " in lines[1]


def test_two_runs_are_compared_across_folders(folder, capsys):
    one, two = (recorded(folder / name)[0] for name in "ab")
    assert runs(folder / "a", "compare", "latest", str(folder / "b" / "runs" / f"{two.id}.json")) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [one.id, two.id] in lines
    assert ["seed", "3", "4"] in lines
    assert ["ensemble", "False", "True"] in lines
    assert not any(line[:1] == ["epochs"] for line in lines)
    assert ["metric", "mine@1", "mine@1.0", "mine@1.1", "mine-ensemble@1"] in lines
    (figures,) = (line for line in lines if line[:1] == ["check/log_loss_gain"])
    assert figures.count("…") == 4


def test_comparisons_lists_and_runs_are_json_on_request(folder, capsys):
    one, two = (recorded(folder / name)[0] for name in "ab")
    assert main(["runs", "compare", one.id, two.id, *both(folder), "--json"]) == 0
    comparison = json.loads(capsys.readouterr().out)
    assert comparison["options"]["seed"] == [3, 4]
    assert comparison["models"][0] == {"run": one.id, "name": "mine@1"}
    gain = one.models[0].metrics["check/log_loss_gain"]
    assert comparison["metrics"]["check/log_loss_gain"][0] == gain.model_dump()
    assert main(["runs", "--json", "list", *both(folder)]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [one.id, two.id]
    assert main(["runs", "show", two.id, *both(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == two.model_dump(mode="json")


def test_one_run_is_shown(folder, capsys):
    assert runs(folder / "a", "show", "latest") == 0
    shown = capsys.readouterr().out
    run = recorded(folder / "a")[0]
    assert f"run       {run.id} (train, finished)" in shown
    assert f"sha256 {run.data.sha256}" in shown
    assert "option    seed = 3" in shown
    assert "          check/log_loss_gain = " in shown


def test_equal_runs_differ_in_nothing(tmp_path, capsys):
    for number in (1, 2):
        add(tmp_path / "runs", record(number))
    assert runs(tmp_path, "compare", record(1).id, record(2).id) == 0
    assert "same data and options" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "x"), "run 'x': there is none of this id"),
        (("compare", "latest"), "compare: must have two runs, has 2026"),
        (("compare", "latest", "latest"), "compare: must have two runs"),
        (("show", "2026"), "run '2026': 2 runs begin with it"),
    ],
)
def test_unknown_runs_are_one_sentence(tmp_path, capsys, arguments, message):
    for number in (1, 2):
        add(tmp_path / "runs", record(number))
    assert runs(tmp_path, *arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_damaged_runs_are_named_and_the_others_listed(tmp_path, capsys):
    add(tmp_path / "runs", record(1))
    (tmp_path / "runs" / "cut.json").write_text('{"format": 1,')
    assert runs(tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"glasstape runs: skipped {tmp_path}/runs/cut.json: holds no run: ")
    assert record(1).id in captured.out


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path, capsys):
    for path, reason in (("absent", "does not exist"), ("file", "is a file")):
        (tmp_path / "file").touch()
        assert main(["runs", "--runs", str(tmp_path / path)]) == 1
        expected = f"glasstape runs: {tmp_path / path}: must be a folder of runs, {reason}\n"
        assert capsys.readouterr().err == expected


def test_a_run_that_fails_or_is_interrupted_while_fitting_is_recorded(tmp_path, monkeypatch):
    for error, status in (
        (KeyboardInterrupt(), "interrupted"),
        (FloatingPointError("the loss is nan"), "failed"),
    ):

        def fail(data, plan, on_epoch, folder, error=error):
            raise error

        monkeypatch.setattr(training_run, "train", fail)
        assert train(tmp_path / status) != 0
        (run,) = recorded(tmp_path / status)
        assert (run.status, run.error) == (status, "the loss is nan" if status == "failed" else "")


@pytest.mark.parametrize(
    "arguments", [("--train-until", "1999-01-01"), ("--arch", "nonsense"), ("--save-predictions", "x.csv")]
)
def test_bad_input_leaves_no_run(tmp_path, arguments):
    assert train(tmp_path, *arguments) == 1
    assert not (tmp_path / "runs").exists() or not recorded(tmp_path)


def test_a_folder_of_runs_that_cannot_be_written_is_refused_before_fitting(tmp_path, capsys):
    (tmp_path / "runs").write_text("a file")
    assert train(tmp_path) == 1
    assert "is not a folder" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
