"""Every call of the SDK with every argument set, and with another value for each."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
from glasstape import _calls, _importance_calls, _stored_calls
from glasstape._resume import FOLLOW
from glasstape.types.enums import Baseline, Direction, Include, Method, ModelView, QualityLevel, Score
from glasstape.types.importance import WindowFilter
from glasstape.types.market import Bar, Instrument

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAR = Bar(
    symbol="AAPL", interval="1d", close_time=NOON, open=1.0, high=4.0, low=0.5, close=2.0, volume=9.0, provisional=True
)  # fmt: skip
INSTRUMENT = Instrument(
    symbol="AAPL", name="Apple", local_name="apple", exchange="XNAS", time_zone="America/New_York", currency="USD",
    tick_size=0.01, price_decimals=2, price_limit=0.3, sector="Technology", industry="Hardware",
    learned=("price_decimals",), assumed=("time_zone",),
)  # fmt: skip
WINDOWS = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
NO_INPUT = {"windows": None, "bars": None, "symbols": None, "signals": None}


@dataclass(frozen=True)
class FullCall:
    """A call with its arguments, and another value for each argument."""

    build: object
    arguments: dict
    others: dict

    def __call__(self):
        return self.build(**self.arguments)


def call_with(call, name, value):
    """The same call with another value of one argument."""
    changed = {**call.arguments, name: value}
    if name in NO_INPUT and "windows" in call.arguments:
        changed |= NO_INPUT | {name: value}
    return replace(call, arguments=changed)()


def _publish(**arguments):
    (call,) = _calls.publish_bars(**arguments, backfill=False)
    return call


def _streamed(**arguments):
    """A stream's first request, as a call has it."""
    return SimpleNamespace(
        path=FOLLOW[0],
        request=_calls.follow_signals(**arguments, silence_timeout=None).request(),
        response=FOLLOW[1],
        decode=lambda answer: answer,
    )


_INPUTS = {"windows": WINDOWS[:1], "bars": [[BAR]], "symbols": ["MSFT"], "signals": [7, 8]}
_EXPLAIN = {
    "model": "m", "method": Method.INTEGRATED_GRADIENTS, "score": Score.MARGIN, "target": Direction.UP,
    "foil": Direction.DOWN, "baseline": Baseline.CUSTOM, "samples": 3, "seed": 4, "quality": QualityLevel.FULL,
    "baseline_windows": WINDOWS, "background": WINDOWS, "include": [Include.DRIVERS, Include.WINDOW],
}  # fmt: skip
_EXPLAIN_OTHERS = {
    "model": "n", "method": "occlusion", "score": "logit", "target": "flat", "foil": "flat", "baseline": "zero",
    "samples": 5, "seed": 5, "quality": "none", "baseline_windows": WINDOWS[:1], "background": WINDOWS[:1],
    "include": [],
}  # fmt: skip
_PUBLISH = {"bars": [BAR], "instruments": [INSTRUMENT], "mode": "replace"}
_FOLLOW = {
    "symbols": ["A"], "kinds": ["buy"], "min_confidence": 0.5, "start": "earliest", "resume_token": b"t",
    "delivery": "every_event", "conflation_interval": 0.2, "heartbeat_interval": timedelta(seconds=2),
    "heatmap_method": "gradient", "quotes": True,
}  # fmt: skip
_FOLLOW_OTHERS = {
    "symbols": (), "kinds": (), "min_confidence": 0.6, "start": "live", "resume_token": b"u",
    "delivery": "conflated", "conflation_interval": 0.3, "heartbeat_interval": 3.0, "heatmap_method": None,
    "quotes": False,
}  # fmt: skip
_HISTORY = {
    "symbols": ["A"], "kinds": ["outcome"], "min_confidence": 0.5, "start_sequence": 2, "end_sequence": 9,
    "descending": True,
}  # fmt: skip
_HISTORY_OTHERS = {
    "symbols": ["B"], "kinds": [], "min_confidence": 0.1, "start_sequence": 3, "end_sequence": 8, "descending": False,
}  # fmt: skip
_TRACK = {"model": "m", "symbols": ["A"], "exclude_abstained": True, "group_by": ["model"], "cost": 0.01}
_TRACK_OTHERS = {"model": "n", "symbols": [], "exclude_abstained": False, "group_by": "symbol", "cost": 0.02}
_FILTER = WindowFilter(
    symbols=["A"], start=NOON, end=NOON, validation=True, directions=["up"], exclude_abstained=True, days=3
)  # fmt: skip
_IMPORTANCE = {
    "window_filter": _FILTER, "reference": _FILTER, "model": "m", "max_windows": 9, "method": "occlusion",
    "score": "logit", "permutation": True, "seed": 4,
}  # fmt: skip
_IMPORTANCE_OTHERS = {
    "window_filter": None, "reference": None, "model": "n", "max_windows": 8, "method": "gradient",
    "score": Score.MARGIN, "permutation": False, "seed": 5,
}  # fmt: skip

FULL_CALLS = {
    **{
        f"predict {name}": FullCall(
            _calls.predict,
            {**NO_INPUT, name: value, "model": "m"},
            {"model": "n", **{k: v for k, v in _INPUTS.items() if k != name}},
        )
        for name, value in _INPUTS.items()
    },
    "explain": FullCall(
        _calls.explain, {**NO_INPUT, "windows": WINDOWS, **_EXPLAIN}, _INPUTS | _EXPLAIN_OTHERS
    ),
    "get_importance": FullCall(_importance_calls.get_importance, _IMPORTANCE, _IMPORTANCE_OTHERS),
    "get_model": FullCall(_calls.get_model, {"name": "m"}, {"name": "n"}),
    "list_models": FullCall(_calls.list_models, {"view": ModelView.FULL}, {"view": "basic"}),
    "get_server_info": FullCall(_calls.get_server_info, {}, {}),
    "publish_bars": FullCall(_publish, _PUBLISH, {"bars": [], "instruments": [], "mode": "provisional"}),
    "list_bars": FullCall(
        _calls.list_bars,
        {"symbol": "A", "interval": "1d", "start": NOON, "end": NOON + timedelta(days=1)},
        {"symbol": "B", "interval": "1h", "start": None, "end": None},
    ),
    "list_instruments": FullCall(_calls.list_instruments, {}, {}),
    "list_series": FullCall(_stored_calls.list_series, {"symbol": "A"}, {"symbol": "B"}),
    "remove_bars": FullCall(
        _stored_calls.remove_bars,
        {"symbol": "A", "interval": "1d", "start": NOON, "end": NOON + timedelta(days=1)},
        {"symbol": "B", "interval": "1h", "start": NOON - timedelta(days=1), "end": NOON},
    ),
    "rename_symbol": FullCall(
        _stored_calls.rename_symbol, {"symbol": "A", "new_symbol": "B"}, {"symbol": "C", "new_symbol": "D"}
    ),
    "list_corrections": FullCall(_stored_calls.list_corrections, {"symbol": "A"}, {"symbol": "B"}),
    "list_signals": FullCall(_calls.list_signals, _HISTORY, _HISTORY_OTHERS),
    "get_track_record": FullCall(_calls.get_track_record, _TRACK, _TRACK_OTHERS),
    "check_health": FullCall(_calls.check_health, {"service": "s"}, {"service": "t"}),
    "follow_signals": FullCall(_streamed, _FOLLOW, _FOLLOW_OTHERS),
}
