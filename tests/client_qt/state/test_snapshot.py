from desks import DOWN, UP, batch, confidence, feed, make_desk
from glasstape import Instrument
from glasstape.testing import MODEL
from glasstape_qt.state import snapshot
from glasstape_qt.state.desk import Desk


def test_the_next_start_shows_the_last_rows_marked_old(tmp_path):
    path = tmp_path / "state" / "local.session.gz"
    desk = make_desk()
    desk.describe([MODEL], [Instrument(symbol="005930", local_name="삼성전자")])
    feed(desk, batch(confidence("005930", UP, 7, close=71_500.0), confidence("AAPL", DOWN, 8)))
    snapshot.save(path, desk)
    later = Desk()
    changes, trouble = snapshot.load(path, later)
    assert trouble == ""
    assert changes.rows == {"005930", "AAPL"}
    assert all(row.old for row in later.rows.values())
    assert later.rows["005930"].event.signal == desk.rows["005930"].event.signal
    assert later.rows["005930"].name("ko") == "삼성전자"
    assert later.active is None


def test_a_damaged_snapshot_is_a_sentence_and_no_row(tmp_path):
    path = tmp_path / "x.session.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    desk = Desk()
    changes, trouble = snapshot.load(path, desk)
    assert "damaged" in trouble
    assert (changes.rows, desk.rows) == (set(), {})
    assert snapshot.load(tmp_path / "none", desk)[1] == ""
