"""Verdicts over columns equal those of the server, for any values."""

from math import inf, nan

import polars as pl
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.limits import MAX_PRICE, MAX_TIME
from glasstape_server.domain.times import DAY
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore
from glasstape_server.market.verdict_kinds import KINDS, REJECTED_KINDS, RowVerdict
from glasstape_server.market.verdicts import ordered, verdict_of, with_verdicts
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("open", "high", "low", "close", "volume")
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0, nan, inf, -inf, 1e-12, 1e-13, MAX_PRICE, 2e18, 5e-324]),
    st.floats(),
)
ROWS = st.tuples(
    st.sampled_from(["A", "B", "A B", "", "*", "x" * 99]),
    st.sampled_from([DAY, 2 * DAY, 0, -DAY, MAX_TIME, MAX_TIME + 1]),
    *[NUMBERS] * 5,
)


def frame(rows):
    schema = {"symbol": pl.String, "close_time": pl.Int64, **dict.fromkeys(NAMES, pl.Float64)}
    return ordered(pl.DataFrame(rows, schema=schema, orient="row"))


def verdicts(rows):
    return [RowVerdict(value) for value in with_verdicts(frame(rows))["verdict"]]


@given(ROWS)
def test_the_verdict_on_a_row_is_that_on_the_bar(row):
    assert verdicts([row]) == [verdict_of(Bar(row[0], "1d", *row[1:]))]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("AB"),
            st.sampled_from([DAY, 2 * DAY]),
            *[st.sampled_from([0.0, 1.0, 2.0])] * 5,
        ),
        max_size=12,
    )
)
def test_a_store_takes_the_rows_that_are_not_rejected(tmp_path_factory, rows):
    judged = with_verdicts(frame(rows))
    store = BarStore(tmp_path_factory.mktemp("store") / "bars.sqlite")
    bars = [Bar(row[0], "1d", *row[1:7]) for row in judged.iter_rows()]
    (report,) = store.publish([Batch(bars, mode=BatchMode.BACKFILL)])
    store.close()
    given_verdicts = [RowVerdict(value) for value in judged["verdict"]]
    rejected = {kind for each in REJECTED_KINDS for kind in each.verdicts}
    assert [index for index, _, _ in report.rejections] == [
        index for index, verdict in enumerate(given_verdicts) if verdict in rejected
    ]
    assert report.duplicates == given_verdicts.count(RowVerdict.EQUAL_REPEAT)
    assert report.halted == given_verdicts.count(RowVerdict.HALTED)


GOOD = ("A", DAY, 10.0, 12.0, 9.0, 11.0, 100.0)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((10.0, 12.0, 9.0, 11.0, 100.0), RowVerdict.GOOD),
        ((10.0, 10.0, 10.0, 10.0, 0.0), RowVerdict.NO_TRADE),
        ((0.0, 0.0, 0.0, 11.0, 0.0), RowVerdict.HALTED),
        ((None, None, None, 11.0, None), RowVerdict.VOLUME),
        ((None, None, None, 11.0, 0.0), RowVerdict.HALTED),
        ((None, 12.0, 9.0, 11.0, 0.0), RowVerdict.PRICE_OPEN),
        ((0.0, 0.0, 0.0, 0.0, 0.0), RowVerdict.PRICE_OPEN),
        ((10.0, 12.0, 9.0, -37.6, 1.0), RowVerdict.PRICE_CLOSE),
        ((10.0, 8.0, 9.0, 11.0, 1.0), RowVerdict.BAND_HIGH),
        ((10.0, 12.0, 9.0, 13.0, 1.0), RowVerdict.BAND_CLOSE),
        ((10.0, 12.0, 9.0, 11.0, -1.0), RowVerdict.VOLUME),
    ],
)
def test_each_kind_of_row_has_its_verdict(values, verdict):
    assert verdicts([("A", DAY, *values)]) == [verdict]


def test_a_repeat_is_of_the_first_row_that_is_stored():
    rejected = (*GOOD[:2], *[nan] * 5)
    other = (*GOOD[:6], 101.0)
    assert verdicts([rejected, GOOD, GOOD, other, ("B", *GOOD[1:])]) == [
        RowVerdict.PRICE_OPEN, RowVerdict.GOOD, RowVerdict.EQUAL_REPEAT, RowVerdict.CONFLICTING_REPEAT, RowVerdict.GOOD,
    ]  # fmt: skip


def test_every_verdict_but_good_belongs_to_one_kind():
    of_kinds = [verdict for kind in KINDS for verdict in kind.verdicts]
    assert sorted(of_kinds) == [verdict for verdict in RowVerdict if verdict is not RowVerdict.GOOD]


def test_no_rows_have_no_verdicts():
    assert verdicts([]) == []
