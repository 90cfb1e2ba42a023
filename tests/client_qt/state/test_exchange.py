from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from glasstape import Instrument, calendars
from glasstape_qt.state import exchange
from glasstape_qt.state.exchange import Phase
from glasstape_qt.state.watch_row import WatchRow
from stores import UP, confidence

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        (datetime(2024, 3, 4, 8, 59, tzinfo=SEOUL), Phase.CLOSED),
        (datetime(2024, 3, 4, 9, 0, tzinfo=SEOUL), Phase.OPEN),
        (datetime(2024, 3, 4, 15, 19, tzinfo=SEOUL), Phase.OPEN),
        (datetime(2024, 3, 4, 15, 20, tzinfo=SEOUL), Phase.CLOSING_AUCTION),
        (datetime(2024, 3, 4, 15, 31, tzinfo=SEOUL), Phase.CLOSED),
        (datetime(2024, 3, 1, 10, 0, tzinfo=SEOUL), Phase.CLOSED),  # Independence Movement Day
        (datetime(2024, 3, 2, 10, 0, tzinfo=SEOUL), Phase.CLOSED),  # a Saturday
    ],
)
def test_the_korean_session_with_its_closing_auction(moment, phase):
    calendars.load("XKRX")
    assert exchange.hours("XKRX", moment).phase is phase


def test_the_next_opening_is_told_and_an_unknown_exchange_is_not_guessed():
    calendars.load("XKRX")
    holiday = datetime(2024, 3, 1, 10, 0, tzinfo=SEOUL)
    assert exchange.hours("XKRX", holiday).until == datetime(2024, 3, 4, 0, 0, tzinfo=UTC)
    calendars.load("NOWHERE")
    assert exchange.hours("NOWHERE", holiday) == exchange.Hours(Phase.UNKNOWN, None)
    assert exchange.hours("", holiday).phase is Phase.UNKNOWN
    assert exchange.hours("24/7", holiday) == exchange.Hours(Phase.OPEN, None)


@pytest.mark.parametrize(
    ("previous", "close", "instrument", "limit"),
    [
        (10_000.0, 13_000.0, Instrument(symbol="A", exchange="XKRX"), 1),
        (10_000.0, 12_990.0, Instrument(symbol="A", exchange="XKRX"), 0),
        (9_990.0, 12_980.0, Instrument(symbol="A", exchange="XKRX"), 1),  # 12,987 cut to a tick of 10
        (10_000.0, 7_000.0, Instrument(symbol="A", exchange="XKOS"), -1),
        (100.0, 110.0, Instrument(symbol="A", exchange="XNYS"), 0),
        (100.0, 110.0, Instrument(symbol="A", exchange="XTKS", price_limit=0.1, tick_size=1.0), 1),
    ],
)
def test_limits_of_the_day(previous, close, instrument, limit):
    row = WatchRow(confidence("A", UP, close=close, previous=previous), instrument)
    assert exchange.price_limit(row) == limit
