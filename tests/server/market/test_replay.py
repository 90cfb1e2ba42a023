"""Replays report rejected rows once per rule, and end if nothing can be stored."""

import logging

import pytest
from glasstape.barfile.options import BarFileOptions, close_of
from glasstape_server.domain.backlog import Backlog
from glasstape_server.market import replay
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Report

OPTIONS = BarFileOptions(time_zone="America/New_York", close=close_of("16:00"))
HEADER = "symbol,date,open,high,low,close,volume\n"
GOOD = "A,2024-06-24,10,11,9,10.5,1000\nA,2024-06-25,10,11,9,10.5,1000\n"


def loaded(tmp_path, text):
    (tmp_path / "bars.csv").write_text(HEADER + text)
    return replay.load(str(tmp_path / "bars.csv"), "1d", options=OPTIONS)


def test_rejected_rows_are_logged_once_with_number_rows_and_remedy(tmp_path, caplog):
    wrong = "".join(f"B,2024-06-{day},10,11,9,12,1000\n" for day in range(10, 20))
    with caplog.at_level(logging.WARNING):
        recording = loaded(tmp_path, wrong + GOOD)
    assert recording.bars["symbol"].to_list() == ["A", "A"]
    (record,) = (each for each in caplog.records if each.levelno == logging.WARNING)
    text = record.getMessage()
    assert "rejected: 10 bars have an open or close outside low-high; columns may be swapped" in text
    assert "(bars.csv row 2): close must lie in low..high (9..11), is 12" in text


def test_a_replay_of_which_nothing_can_be_stored_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no bar can be stored: 1 bars have an open or close outside"):
        loaded(tmp_path, "A,2024-06-24,10,11,9,12,1000\n")


def test_repeated_rows_are_replayed_once(tmp_path, caplog):
    recording = loaded(tmp_path, GOOD + GOOD)
    assert recording.bars.height == 2
    assert "rejected" not in caplog.text
    recording = loaded(tmp_path, GOOD + "A,2024-06-24,10,11,9,10.6,1000\n")
    assert recording.bars["close"].to_list() == [10.5, 10.5]
    assert "other values" in caplog.text


class Ingest:
    """Takes every bar; none is signaled before the last one is published."""

    def __init__(self):
        self.clock = Clock()
        self.published = 0

    async def publish(self, batch):
        self.published += len(batch.bars)
        return Report(stored=len(batch.bars))

    async def calendars_loaded(self):
        pass


async def test_a_replay_has_not_finished_while_bars_are_not_signaled(tmp_path, caplog):
    recording, ingest, looks = loaded(tmp_path, GOOD), Ingest(), []

    def backlog():
        looks.append(ingest.published)
        return Backlog(bars=max(0, 3 - len(looks)), open_signals=4)

    with caplog.at_level(logging.INFO):
        await replay.play(recording, ingest, backlog, step=0, speed=0)
    assert looks == [2] * len(looks), "after the last bar"
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "replay: every bar is published; the signals of 2 bars are not",
        "replay finished: every bar is signaled; 4 signals have no outcome",
    ]
