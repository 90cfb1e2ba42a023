"""The jobs of the engine for an Explain request. Checks the request against its models before the first job runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.errors import FailedPrecondition, InvalidArgument
from glasstape_server.domain.limits import MAX_BACKGROUND_WINDOWS, MAX_ITEMS
from glasstape_server.engine.flip_class import CounterfactualWork
from glasstape_server.engine.work import Arrays, ExplainWork
from glasstape_server.explain.catalog import baseline_of, check_served
from glasstape_server.explain.method import BaselineKind, MethodName
from glasstape_server.features.series import local_times
from glasstape_server.models.model import Model
from glasstape_server.serving.items import Bars, Group, Item, group_by_model
from glasstape_server.serving.requests import ExplainRequest
from glasstape_server.serving.windows import reference_windows


@dataclass(frozen=True, slots=True)
class EngineStep:
    """Items of one model that run as one job of the engine."""

    model: Model
    item_indices: Sequence[int]
    """Positions of the items in the request."""
    windows: Float32s  # (n, time, feature)
    work: ExplainWork | CounterfactualWork
    inputs: Arrays
    """Rows of the job, as the work takes them."""


def plan(items: Sequence[Item], pinned: Model | None, request: ExplainRequest) -> list[EngineStep]:
    """Return the steps that explain the items without an error.

    Args:
        items: resolved items. An item whose own model cannot serve the method gets that as its error.
        pinned: the model of every item; None: each item has a model of its own.
        request: method, baseline, background and checks.

    Raises:
        FailedPrecondition: the pinned model cannot serve the method.
        InvalidArgument: baseline or background windows that do not fit the model.
    """
    if pinned is not None:
        check_served(pinned, request.method_request.method)
    steps: list[EngineStep] = []
    for group in group_by_model(items):
        if pinned is None:
            try:
                check_served(group.model, request.method_request.method)
            except FailedPrecondition as error:
                for row in group.rows:
                    items[row].error = error
                continue
        steps += _steps(group, items, request)
    if pinned is not None and not steps:
        _check_reference_windows(pinned, len(items), request)
    return steps


def _steps(group: Group, items: Sequence[Item], request: ExplainRequest) -> list[EngineStep]:
    if request.method_request.method is MethodName.COUNTERFACTUAL:
        return _counterfactual_steps(group, items, request)
    windows = np.stack(group.windows)
    inputs: Arrays = (windows,)
    baseline = _check_reference_windows(group.model, len(items), request)
    kind = baseline_of(request.method_request)
    if kind is BaselineKind.PREVIOUS:
        inputs = (windows, np.stack([_previous(items[row]) for row in group.rows]))
    elif kind is BaselineKind.CUSTOM and baseline is not None:
        own = baseline[group.rows] if len(baseline) > 1 else np.repeat(baseline, len(windows), axis=0)
        inputs = (windows, own)
    work = ExplainWork(group.model, request.method_request)
    return [EngineStep(group.model, group.rows, windows, work, inputs)]


def _check_reference_windows(model: Model, count: int, request: ExplainRequest) -> Float32s | None:
    """Check baseline and background windows against a model; return the baseline windows, if any."""
    if request.background is not None:
        reference_windows(request.background, model, "background", MAX_BACKGROUND_WINDOWS)
    if request.baseline_windows is None:
        return None
    baseline = reference_windows(request.baseline_windows, model, "baseline_windows", MAX_ITEMS)
    if len(baseline) not in (1, count):
        rule = f"must be 1 or as many as items ({count}), is {len(baseline)}"
        raise InvalidArgument.field("baseline_windows.count", rule)
    return baseline


def _previous(item: Item) -> Float32s:
    assert item.previous is not None  # an item without one has an error, and is in no group
    return item.previous


def _counterfactual_steps(group: Group, items: Sequence[Item], request: ExplainRequest) -> list[EngineStep]:
    """Search items with and without bars apart, so that neither changes the other's result.

    Of a model with ranked features, features are edited instead of bars: an edited bar would change its ranks.
    """
    steps = []
    for with_bars in (True, False):
        places = [
            place
            for place, row in enumerate(group.rows)
            if (items[row].bars is not None and not group.model.spec.ranked_names) is with_bars
        ]
        if not places:
            continue
        item_indices = [group.rows[place] for place in places]
        windows = np.stack([group.windows[place] for place in places])
        work = CounterfactualWork(
            group.model, request.method_request.score_spec.foil, request.method_request.seed, with_bars
        )
        bars = [items[index].bars for index in item_indices] if with_bars else []
        inputs = (windows, *_bar_arrays(bars, group.model.spec.min_bars))
        steps.append(EngineStep(group.model, item_indices, windows, work, inputs))
    return steps


def _bar_arrays(bars_of_items: Sequence[Bars | None], count: int) -> Arrays:
    """Return bars and exchange rules as `CounterfactualWork` takes them; nothing without bars.

    Bars: local close time, open, high, low, close, volume and session, (n, 7, bar). Rules: tick, price limit and
    previous session close, (n, 3).
    """
    bars = [bars for bars in bars_of_items if bars is not None]
    if not bars:
        return ()
    local = [local_times(b.columns[0].astype(np.int64), b.time_zone) for b in bars]
    columns = np.stack(
        [
            np.concatenate([time[None], b.columns[1:], b.session[None]])[:, -count:]
            for time, b in zip(local, bars, strict=True)
        ]
    )
    return columns, np.array([(b.tick, b.price_limit, b.previous_session_close) for b in bars])
