"""Records of runs."""

from datetime import UTC, datetime, timedelta

from glasstape_server.training.run_record import Metric, RunData, RunModel, RunRecord

STARTED = datetime(2026, 11, 29, 23, 13, 51, tzinfo=UTC)


def record(number=0, *, kind="train", status="finished", options=None, gain=0.01, sha256="ab" * 32, **more):
    started = STARTED + timedelta(minutes=number)
    metrics = {
        "check/log_loss_gain": Metric(value=gain, low=gain - 0.004, high=gain + 0.004),
        "validation/accuracy": Metric(value=0.35),
    }
    return RunRecord(
        id=f"{started:%Y%m%d-%H%M%S}-{number:08x}", kind=kind, status=status, started=started, duration_s=12.5,
        version="0.1.0", packages={"torch": "2.13.0"},
        data=RunData(
            sha256=sha256, names=("prices.csv",), files=1, symbols=2, bars=800, first_close=STARTED,
            last_close=STARTED, interval="1d", time_zone="UTC",
        ),
        options=options or {"epochs": 40, "seed": 0},
        models=(RunModel(name="mine@1", architecture="conv1d", seed=0, sha256="cd" * 32, metrics=metrics),),
        **more,
    )  # fmt: skip
