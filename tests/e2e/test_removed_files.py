"""Databases that are removed under a running server: nothing is acknowledged, and reads name the file."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from glasstape import Bar, Client
from glasstape.errors import UnavailableError
from running import ServerProcess


@pytest.mark.parametrize("removed", ["live/bars.sqlite", "live/bars.sqlite-wal", "live", "."])
def test_bars_are_not_acknowledged_once_the_database_is_gone(tmp_path, removed):
    folder = tmp_path / "data"
    server = ServerProcess(folder).start()
    try:
        with Client(server.address, timeout=5) as client:
            client.publish_bars([_bar(0)], backfill=True)
            gone = folder / removed
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
            with pytest.raises(UnavailableError, match="no longer in its folder"):
                client.publish_bars([_bar(1)], backfill=True)
    finally:
        server.kill()


@pytest.mark.parametrize("removed", ["live/bars.sqlite", "live"])
def test_reading_says_that_the_database_is_gone(tmp_path, removed):
    folder = tmp_path / "data"
    server = ServerProcess(folder).start()
    try:
        with Client(server.address, timeout=5) as client:
            client.publish_bars([_bar(0)], backfill=True)
            gone = folder / removed
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
            with pytest.raises(
                UnavailableError, match=r"bars cannot be read now: .*bars.sqlite: unable to open"
            ):
                client.stored_series()
        assert "Traceback" not in "".join(server.log)
    finally:
        server.kill()


def _bar(number):
    close = datetime(2024, 3, 4, 21, tzinfo=UTC) + timedelta(days=number)
    return Bar(
        symbol="AAA", close_time=close, interval="1d", open=1.0, high=2.0, low=0.5, close=1.5, volume=9.0
    )
