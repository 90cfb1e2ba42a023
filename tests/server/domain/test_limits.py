"""Limits and intervals of the server are those of the contract's text and of the SDK."""

from datetime import timedelta
from pathlib import Path

import pytest
from glasstape import _options, calendars
from glasstape._session import recorder
from glasstape.cli import explain_requests, publish
from glasstape_server.domain import limits
from glasstape_server.domain.times import INTERVALS

PROTO = Path(__file__).resolve().parents[3] / "proto/glasstape/v1"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("inference", f"At most {limits.MAX_ITEMS:,} items per call"),
        ("inference", f"{limits.MAX_MESSAGE_BYTES >> 20} MiB per message"),
        ("inference", f"Number of windows, 1-{limits.MAX_ITEMS:,}."),
        ("inference", f"{limits.MAX_SERIES_BARS:,} (the last ones count)"),
        ("inference", f"Symbols to predict, 1-{limits.MAX_ITEMS:,}."),
        ("market", f"Bars to store, at most {limits.MAX_BATCH_BARS:,}."),
        ("market", f"in order of index: the first {limits.MAX_REJECTIONS:,} of them"),
        ("market", f"Name in English, up to {limits.MAX_TEXT['name']} characters."),
        (
            "market",
            f"at most {limits.MAX_PAGE_SIZE:,} (more is taken as that). Default: {limits.DEFAULT_PAGE_SIZE:,}.",
        ),
        ("signals", f"At most {limits.MAX_TOKEN_BYTES:,} bytes."),
        ("signals", f"Events per page, at most {limits.MAX_PAGE_SIZE:,} (more is taken as that)."),
    ],
)
def test_the_contract_states_the_servers_limits(file, text):
    assert text in " ".join((PROTO / f"{file}.proto").read_text().replace("//", "").split())


def test_the_sdk_sends_as_much_as_the_server_takes():
    assert limits.MAX_ITEMS == _options.MAX_ITEMS
    assert limits.MAX_MESSAGE_BYTES == _options.MAX_MESSAGE_BYTES
    assert limits.MAX_BATCH_BARS == publish.BATCH
    assert limits.MAX_SERIES_BARS == explain_requests.MAX_BARS
    assert limits.MAX_PAGE_SIZE == recorder.LARGEST_PAGE


@pytest.mark.parametrize(("interval", "length"), INTERVALS.items())
def test_the_sdk_reads_every_interval_of_the_server(interval, length):
    assert calendars.interval_length(interval) == timedelta(microseconds=length)


@pytest.mark.parametrize("interval", ["", "m", "1y", "-1m", "1.5h", "d1"])
def test_what_is_no_interval_has_no_length(interval):
    with pytest.raises(ValueError, match="interval: must be a number with m, h, d or w"):
        calendars.interval_length(interval)
