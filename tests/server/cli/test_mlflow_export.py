"""`glasstape runs export --mlflow`."""

import sys

import pytest
from glasstape.cli import main
from glasstape_server.training.run_registry import add
from run_records import STARTED, record

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture
def store(tmp_path):
    """URI of a store, and a folder with three runs."""
    add(tmp_path / "runs", record(1, options={"epochs": 40, "seed": 0, "arch": ["conv1d"], "window": None}))
    add(
        tmp_path / "runs",
        record(2, status="failed", error="the loss is nan").model_copy(update={"models": ()}),
    )
    add(tmp_path / "runs", record(3, status="interrupted"))
    return (tmp_path / "store").as_uri()


def export(store, tmp_path, *more):
    return main(["runs", "export", "--runs", str(tmp_path / "runs"), "--mlflow", store, *more])


def exported(store, name="glasstape"):
    client = mlflow.MlflowClient(tracking_uri=store)
    return {
        run.data.tags["glasstape.run"]: run
        for run in client.search_runs([client.get_experiment_by_name(name).experiment_id])
    }


def test_models_become_runs_with_parameters_metrics_and_digests(store, tmp_path, capsys):
    assert export(store, tmp_path) == 0
    assert capsys.readouterr().out == "3 models exported, 0 were there\n"
    runs = exported(store)
    run, expected = runs[record(1).id], record(1)
    assert run.data.params == {
        "epochs": "40", "seed": "0", "arch": "['conv1d']", "architecture": "conv1d",
    }  # fmt: skip
    assert run.data.metrics == {
        "check/log_loss_gain": 0.01, "check/log_loss_gain_low": 0.006, "check/log_loss_gain_high": 0.014,
        "validation/accuracy": 0.35,
    }  # fmt: skip
    tags = run.data.tags
    assert tags["glasstape.model"] == "mine@1"
    assert tags["glasstape.data"] == expected.data.sha256
    assert tags["glasstape.artifact"] == expected.models[0].sha256
    assert run.info.status == "FINISHED"
    assert run.info.start_time == round((STARTED.timestamp() + 60) * 1000)
    assert run.info.end_time - run.info.start_time == 12_500
    failed = runs[record(2).id]
    assert (failed.info.status, failed.data.tags["glasstape.error"]) == ("FAILED", "the loss is nan")
    assert runs[record(3).id].info.status == "KILLED"


def test_exporting_again_adds_what_is_new_only(store, tmp_path, capsys):
    assert export(store, tmp_path, record(1).id, record(3).id) == 0
    assert export(store, tmp_path, "--json") == 0
    assert capsys.readouterr().out.endswith('{\n "exported": 1,\n "present": 2\n}\n')
    assert len(exported(store)) == 3


def test_an_export_that_broke_off_is_repeated(store, tmp_path):
    client = mlflow.MlflowClient(tracking_uri=store)
    number = client.create_experiment("mine")
    client.create_run(number, tags={"glasstape.run": record(1).id, "glasstape.model": "mine@1"})
    assert export(store, tmp_path, record(1).id, "--experiment", "mine") == 0
    finished = [run for run in client.search_runs([number]) if run.info.status == "FINISHED"]
    assert len(finished) == 1


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "nonsense://store"])
def test_a_server_that_cannot_be_reached_is_one_sentence(store, tmp_path, capsys, uri):
    assert export(uri, tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glasstape runs: --mlflow {uri}: ")


def test_without_mlflow_the_extra_is_named(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert export(store, tmp_path) == 1
    assert "requires MLflow: pip install 'glasstape[mlflow]'" in capsys.readouterr().err
