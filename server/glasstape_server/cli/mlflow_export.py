"""Export of recorded runs to MLflow: each model is a run of an experiment."""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glasstape_server.training.run_record import RunModel, RunRecord

RUN_TAG, MODEL_TAG = "glasstape.run", "glasstape.model"
STATUSES = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
NO_MODEL = "-"
"""Value of the model's tag of a run without models."""
ENVIRONMENT = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # for URIs that name a folder
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Settings of MLflow, unless the environment has them."""
VALUE_LIMIT = 6000
"""Longest value of a parameter that a tracking server takes, characters."""


def export(records: Sequence["RunRecord"], uri: str, experiment: str) -> tuple[int, int]:
    """Export the models of runs that the experiment does not have; return how many are new, and how many it had.

    Args:
        records: the runs.
        uri: of a tracking server, or `file:` and a folder.
        experiment: name; created if it is missing.

    Raises:
        ValueError: MLflow is not installed, or the server cannot be reached or refuses something.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ValueError(f"--mlflow: requires MLflow: pip install 'glasstape[mlflow]': {error}") from None
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    new = known = 0
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        number = found.experiment_id if found else client.create_experiment(experiment)
        for record in records:
            for model in record.models or (None,):
                if _exists(client, number, record, model):
                    known += 1
                    continue
                _export_model(client, number, record, model)
                new += 1
    except MlflowException as error:
        raise ValueError(f"--mlflow {uri}: {str(error).splitlines()[0]}") from None
    return new, known


def _exists(client: Any, experiment: str, record: "RunRecord", model: "RunModel | None") -> bool:
    """Return whether an experiment has a model's run, completely: an export that failed is repeated."""
    name = model.name if model else NO_MODEL
    query = f"tags.`{RUN_TAG}` = '{record.id}' and tags.`{MODEL_TAG}` = '{name}'"
    return any(run.info.status != "RUNNING" for run in client.search_runs([experiment], query))


def _export_model(client: Any, experiment: str, record: "RunRecord", model: "RunModel | None") -> None:
    from mlflow.entities import Metric, Param

    start = round(record.started.timestamp() * 1000)
    end = start + round(record.duration_s * 1000)
    tags = {
        RUN_TAG: record.id,
        MODEL_TAG: model.name if model else NO_MODEL,
        "glasstape.kind": record.kind,
        "glasstape.version": record.version,
        "glasstape.data": record.data.sha256,
        **({"glasstape.artifact": model.sha256} if model and model.sha256 else {}),
        **({"glasstape.error": record.error[:VALUE_LIMIT]} if record.error else {}),
    }
    params = {name: str(value)[:VALUE_LIMIT] for name, value in record.options.items() if value is not None}
    if model is not None:
        params |= {"architecture": model.architecture}
        params |= {} if model.seed is None else {"seed": str(model.seed)}
    name = f"{model.name} {record.id}" if model else record.id
    run = client.create_run(experiment, start_time=start, run_name=name, tags=tags).info.run_id
    values = [
        Metric(f"{name}{end_of}", value, end, 0)
        for name, metric in (model.metrics.items() if model else ())
        for end_of, value in (("", metric.value), ("_low", metric.low), ("_high", metric.high))
        if value is not None
    ]
    client.log_batch(run, metrics=values, params=[Param(key, value) for key, value in params.items()])
    client.set_terminated(run, STATUSES[record.status], end)
