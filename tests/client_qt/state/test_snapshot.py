from glasstape import Instrument
from glasstape.testing import MODEL
from glasstape_qt.state import snapshot
from glasstape_qt.state.signal_store import SignalStore
from stores import DOWN, UP, apply, batch, confidence, make_store


def test_the_next_start_shows_the_last_rows_marked_old(tmp_path):
    path = tmp_path / "state" / "local.session.gz"
    store = make_store()
    store.describe([MODEL], [Instrument(symbol="005930", local_name="삼성전자")])
    apply(store, batch(confidence("005930", UP, 7, close=71_500.0), confidence("AAPL", DOWN, 8)))
    snapshot.save(path, store)
    later = SignalStore()
    changes, error = snapshot.load(path, later)
    assert error == ""
    assert changes.rows == {"005930", "AAPL"}
    assert all(row.old for row in later.rows.values())
    assert later.rows["005930"].event.signal == store.rows["005930"].event.signal
    assert later.rows["005930"].name("ko") == "삼성전자"
    assert later.active_model is None


def test_a_damaged_snapshot_is_an_error_and_no_row(tmp_path):
    path = tmp_path / "x.session.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    store = SignalStore()
    changes, error = snapshot.load(path, store)
    assert "damaged" in error
    assert (changes.rows, store.rows) == (set(), {})
    assert snapshot.load(tmp_path / "none", store)[1] == ""
