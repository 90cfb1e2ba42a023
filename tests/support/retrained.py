"""A market with a known signal, and models of it for tests of retraining."""

from functools import cache

import polars as pl
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.synthetic import FIRST_CLOSE, INTERVAL, RULE, known_signal, market
from glasstape_server.models.artifact import load
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit
from glasstape_server.training.usable_bars import UsableBars


@cache
def known_market():
    return market(known_signal, 30, 480, seed=3)


def closing(day):
    """Close of a day of the market, microseconds."""
    return FIRST_CLOSE + day * DAY


def bars_to(day):
    """Reader of the market's bars up to a day, that day included."""
    return lambda: [UsableBars.of(known_market().filter(pl.col("close_time") <= closing(day)))]


def trained(root, version, until, epochs=15, name="mine", lifetime=None, **settings):
    """Train on the market up to a day, the last 60 of them for validation and check; return the model."""
    split = TrainingSettings(
        interval=INTERVAL,
        train_until=closing(until - 60),
        validate_until=closing(until) + 1,
        **{"rule": RULE, **settings},
    )
    fit = FitOptions(epochs=epochs, learning_rate=0.02)
    plan = TrainingPlan(name=name, version=version, architecture="linear", fit=fit, lifetime=lifetime)
    data = TrainingSplit(bars_to(until)(), split)
    return load(save(data, train(data, plan), root))
