"""Calendars are those of exchange_calendars, read without its weight."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from glasstape import calendars
from glasstape.calendars import Calendar

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("exchange_calendars", reason="the base install has no calendars")


@pytest.fixture(scope="module")
def loaded(package):
    calendars.load("XNYS", "XHKG", "CMES", "XKRX")
    return calendars.find


@pytest.mark.parametrize("day", ["2020-12-03", "2021-11-18", "2023-11-16", "2024-11-14", "2025-11-13"])
def test_korean_examination_days_trade_an_hour_later(loaded, day):
    """The package ends its list of them in 2020."""
    morning = datetime.fromisoformat(f"{day}T00:00+00:00")
    korea = loaded("XKRX")
    assert not korea.is_open(morning)
    assert korea.next_open(morning) == morning + timedelta(hours=1)
    assert korea.next_close(morning) == morning + timedelta(hours=7, minutes=30)
    before = morning - timedelta(days=1)
    assert korea.next_close(before) == before + timedelta(hours=6, minutes=30)


@pytest.mark.parametrize("exchange", ["XNYS", "XHKG", "CMES"])
def test_openings_and_closings_are_those_of_the_package(package, loaded, exchange):
    """XHKG breaks for lunch, CMES trades through the night."""
    ours, theirs = loaded(exchange), package.get_calendar(exchange, start="2023-12-20")
    moment, end = datetime(2023, 12, 22, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC)
    while moment < end:
        assert ours.covers(moment)
        assert ours.is_open(moment) == theirs.is_trading_minute(moment), moment
        if not ours.is_open(moment):
            assert not theirs.is_trading_minute(ours.next_open(moment) - MINUTE)
            assert theirs.is_trading_minute(ours.next_open(moment))
        assert theirs.is_trading_minute(ours.next_close(moment) - MINUTE)
        assert not theirs.is_trading_minute(ours.next_close(moment))
        moment += 7 * MINUTE


def test_a_market_that_never_closes_needs_no_package():
    always = calendars.find("24/7")
    now = datetime(2024, 1, 6, 3, tzinfo=UTC)
    assert always.always_open
    assert always.covers(now)
    assert always.is_open(now)
    assert always.next_open(now) is always.next_close(now) is None


def test_exchanges_with_the_same_hours_share_a_calendar(loaded):
    assert loaded("XKOS") is loaded("XKRX") is not None
    assert calendars.resolved("XNGS") == "XNYS"
    assert calendars.resolved("ANYTHING") == "ANYTHING"


def test_an_exchange_without_a_calendar_is_not_guessed(loaded):
    calendars.load("NOWHERE", "--help", "")
    assert calendars.is_loaded("NOWHERE")
    assert calendars.find("NOWHERE") is None


def test_before_and_after_the_known_sessions_nothing_is_covered(loaded):
    assert not loaded("XNYS").covers(datetime(2001, 1, 1, tzinfo=UTC))
    assert not loaded("XNYS").covers(datetime(2199, 1, 1, tzinfo=UTC))


def test_a_break_divides_a_session():
    calendar = Calendar("X", [(0, 100), (200, 300), (300, 400)], [(40, 60)])
    assert calendar.periods == ((0, 40), (60, 100), (200, 400))
    assert calendar.period_before(40) == 0
    assert calendar.session_before(200) == 0
    assert calendar.session_before(0) == -1


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_reading_calendars_loads_no_pandas_here_and_warns_of_nothing(package):
    done = run(
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from glasstape import calendars\n"
        "made = [calendars.load_in_background(name) for name in ('XNYS', 'XNAS', 'XNYS')]\n"
        "print([future.result(100) for future in made], made[0] is made[2])\n"
        "print(None in map(calendars.find, ('XNYS', 'XNAS')), calendars.is_loaded('XKRX'))\n"
        "print(not {'pandas', 'numpy', 'grpc', 'exchange_calendars'} & set(sys.modules))"
    )
    assert done.stdout.splitlines() == ["[None, None, None] True", "False False", "True"]
    assert done.stderr == ""


def test_a_missing_package_is_said_in_one_line_and_leaves_no_calendar(tmp_path):
    (tmp_path / "exchange_calendars.py").write_text("raise ImportError('no exchange_calendars here')")
    done = run(
        "import os, logging; logging.basicConfig(format='%(message)s')\n"
        f"os.environ['PYTHONPATH'] = {str(tmp_path)!r}\n"
        "from glasstape import calendars; calendars.load('XNYS'); print(calendars.find('XNYS'))"
    )
    assert done.stdout == "None\n"
    assert done.stderr == (
        "calendars of XNYS cannot be read: no exchange_calendars here; install the package exchange-calendars\n"
    )
