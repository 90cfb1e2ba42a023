"""Values that callers pass: each is taken as it is meant, or refused by field before anything is sent."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from glasstape import AsyncClient, Client, InvalidRequestError
from glasstape.testing import FakeServer, make_confidence
from requests_of import BAR, INSTRUMENT

NO_NUMBERS = [
    None, float("nan"), float("inf"), -float("inf"), 1 + 2j, "1", b"1", True, [1.0], np.ma.masked, np.float64("nan"),
    10**400, Decimal("NaN"), Decimal("Infinity"), Decimal("sNaN"), np.complex128(1), np.array([1.0]),
    np.datetime64("2026-01-01"),
]  # fmt: skip


@pytest.fixture
def client():
    with FakeServer() as server, Client(server.address) as client:
        client.server = server
        yield client


def refused(field, rule, call, **arguments):
    with pytest.raises(InvalidRequestError) as caught:
        call(**arguments)
    (violation,) = caught.value.violations
    assert violation.field == field
    assert rule in violation.rule


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_bar_has_finite_numbers(client, name, value):
    bad = replace(BAR, **{name: value})
    refused(f"bars[1].{name}", "number, is ", client.publish_bars, bars=[BAR, bad])
    refused(f"bars[0][1].{name}", "number, is ", client.predict, bars=[[BAR, bad]])
    assert client.server.published == []


@pytest.mark.parametrize("value", [7, np.int64(7), np.float32(7), Decimal(7)], ids=repr)
def test_numbers_of_other_types_are_taken(client, value):
    client.publish_bars([replace(BAR, volume=value)])
    assert client.server.published[0].volume == 7.0


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"symbol": None}, "symbol", "must be a text, is None"),
        ({"symbol": 5930}, "symbol", "must be a text, is 5930"),
        ({"interval": timedelta(days=1)}, "interval", "must be a text"),
        ({"provisional": None}, "provisional", "must be True or False, is None"),
        ({"close_time": None}, "close_time", "must be a datetime with a time zone, is None"),
        ({"close_time": date(2026, 1, 5)}, "close_time", "must be a datetime with a time zone"),
        ({"close_time": "2026-01-05"}, "close_time", "must be a datetime with a time zone"),
        ({"close_time": np.datetime64("2026-01-05")}, "close_time", "must be a datetime with a time zone"),
        ({"close_time": datetime(2026, 1, 5)}, "close_time", "must have a time zone"),
    ],
)
def test_the_other_fields_of_a_bar_have_their_types(client, change, field, rule):
    refused(f"bars[0].{field}", rule, client.publish_bars, bars=[replace(BAR, **change)])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"sector": 3}, "sector"),
        ({"tick_size": "0.01"}, "tick_size"),
        ({"price_limit": float("nan")}, "price_limit"),
        ({"price_decimals": 2.5}, "price_decimals"),
        ({"price_decimals": -1}, "price_decimals"),
    ],
)
def test_the_fields_of_an_instrument_have_their_types(client, change, field):
    bad = replace(INSTRUMENT, **change)
    refused(f"instruments[0].{field}", "must be", client.publish_bars, bars=[], instruments=[bad])


@pytest.mark.parametrize(
    ("windows", "field", "rule"),
    [
        ([[None] * 8] * 6, "windows", "must be an array of real numbers, has dtype object"),
        ([["1"] * 8] * 6, "windows", "must be an array of real numbers"),
        ([[1.0], [1.0, 2.0]], "windows", "must be an array of real numbers"),
        (np.zeros((6, 8), complex), "windows", "has dtype complex128"),
        (np.zeros((6, 8), bool), "windows", "has dtype bool"),
        (np.zeros((6, 8), "M8[s]"), "windows", "has dtype datetime64[s]"),
        (np.ma.masked_less(np.arange(48.0).reshape(6, 8), 3), "windows", "must not have masked cells"),
        (
            np.where(np.arange(48).reshape(6, 8) == 10, 1e300, 0.0),
            "windows[1,2]",
            "must fit float32, is 1e+300",
        ),
        (np.zeros(48), "windows", "must have shape (time, feature) or (n, time, feature)"),
    ],
)
def test_windows_are_arrays_of_real_numbers(client, windows, field, rule):
    refused(field, rule, client.predict, windows=windows)
    renamed = field.replace("windows", "background")
    refused(renamed, rule, client.explain, symbols=["A"], background=windows)


def test_windows_of_other_types_are_taken(client):
    seen = []
    client.server.predict = lambda symbol, window: seen.append(window) or make_confidence()
    for windows in (np.ones((6, 8), np.int16), np.ma.ones((6, 8)), [[1] * 8] * 6, np.ones((6, 8), ">f8")):
        client.predict(windows=windows)
    assert all((window == 1).all() for window in seen)
    assert len(seen) == 4


LISTS = [
    ("predict", {"symbols": "AAPL"}, "symbols", "is the text 'AAPL'"),
    ("predict", {"symbols": 5}, "symbols", "must be a sequence of symbols, is 5"),
    ("predict", {"symbols": ["A", None]}, "symbols[1]", "must be a text, is None"),
    ("predict", {"signals": "12"}, "signals", "must be a sequence of integers"),
    ("predict", {"signals": [1.5]}, "signals[0]", "must be an integer, is 1.5"),
    ("predict", {"signals": [-1]}, "signals[0]", "must be 0 or more"),
    ("predict", {"signals": [2**64]}, "signals[0]", "must be 0 or more"),
    ("predict", {"symbols": ["A"], "model": None}, "model", "must be a text, is None"),
    ("predict", {"bars": [BAR]}, "bars[0]", "must be a sequence of Bar, is "),
    ("predict", {"bars": [[{"close": 1}]]}, "bars[0][0]", "must be a Bar, is "),
    ("publish_bars", {"bars": BAR}, "bars", "must be a sequence of Bar, is "),
    ("publish_bars", {"bars": ["AAPL"]}, "bars[0]", "must be a Bar, is 'AAPL'"),
    (
        "publish_bars",
        {"bars": [], "instruments": ["AAPL"]},
        "instruments[0]",
        "must be a Instrument, is 'AAPL'",
    ),
    ("explain", {"symbols": ["A"], "samples": 2.5}, "samples", "must be an integer, is 2.5"),
    ("explain", {"symbols": ["A"], "samples": 2**32}, "samples", "at most 4294967295"),
    ("explain", {"symbols": ["A"], "seed": None}, "seed", "must be an integer, is None"),
    ("explain", {"symbols": ["A"], "include": 5}, "include", "must be a sequence of parts"),
    ("model", {"name": None}, "name", "must be a text, is None"),
    ("health", {"service": None}, "service", "must be a text, is None"),
    ("bars", {"symbol": "A", "interval": "1d", "end": "2026"}, "end", "must be a datetime with a time zone"),
    ("bars", {"symbol": "A", "interval": None}, "interval", "must be a text, is None"),
    ("history", {"symbols": "AAPL"}, "symbols", "is the text 'AAPL'"),
    ("history", {"start_sequence": 1.0}, "start_sequence", "must be an integer"),
    ("history", {"min_confidence": float("nan")}, "min_confidence", "must be a finite number"),
    ("history", {"descending": "no"}, "descending", "must be True or False, is 'no'"),
    ("track_record", {"cost": "1"}, "cost", "must be a number, is '1'"),
    ("track_record", {"exclude_abstained": None}, "exclude_abstained", "must be True or False"),
    ("signals", {"symbols": "AAPL"}, "symbols", "is the text 'AAPL'"),
    ("signals", {"resume_token": "abc"}, "resume_token", "must be bytes, is 'abc'"),
    ("signals", {"conflation_interval": float("nan")}, "conflation_interval", "must be a finite number"),
    ("signals", {"heartbeat_interval": None}, "heartbeat_interval", "must be a number, is None"),
    ("signals", {"heartbeat_interval": 1e300}, "heartbeat_interval", "must be 0.1-60 s, is 1e+300"),
    ("signals", {"silence_timeout": float("inf")}, "silence_timeout", "must be a finite number"),
    ("signals", {"quotes": 1}, "quotes", "must be True or False, is 1"),
]


@pytest.mark.parametrize(("name", "arguments", "field", "rule"), LISTS)
def test_arguments_have_their_types_in_both_clients(client, name, arguments, field, rule):
    refused(field, rule, getattr(client, name), **arguments)
    aio = AsyncClient("localhost:1")

    def call(**options):
        result = getattr(aio, name)(**options)
        result.send(None)

    refused(field, rule, call, **arguments)


def test_sequences_of_other_types_are_taken(client):
    assert len(client.predict(symbols=np.array(["A", "B"]))) == 2
    assert len(client.predict(symbols=(name for name in "AB"))) == 2
    assert client.publish_bars(bar for bar in [BAR]).stored == 1
    assert list(client.history(kinds="buy")) == []
