from glasstape_qt.state.buy_list import BuyList
from stores import buy, outcome


def test_the_oldest_buys_are_removed_beyond_the_limit_except_pinned_ones():
    buys = BuyList(limit=3)
    buys.add(buy("PINNED", 2))
    buys.pin(2, True)
    for sequence in range(4, 16, 2):
        buys.add(buy(f"S{sequence}", sequence))
    assert [entry.event.symbol for entry in buys] == ["PINNED", "S12", "S14"]


def test_an_early_outcome_is_kept_for_its_buy():
    buys = BuyList()
    assert not buys.set_outcome(outcome("A", of=1, hit=False, moved=-0.02))
    buys.add(buy("A", 2))
    assert (buys.get(2).outcome, buys.get(2).realized_return) == ("miss", -0.02)
