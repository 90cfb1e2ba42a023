"""`Client.importance` against a scripted server, and both clients against the real one."""

from datetime import UTC, datetime

import numpy as np
import pytest
from glasstape import (
    IMPORTANCE_COLUMNS,
    AsyncClient,
    Client,
    Direction,
    InvalidRequestError,
    NotFoundError,
    WindowFilter,
)
from glasstape.testing import FakeServer

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def fake():
    with FakeServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(fake):
    with Client(fake.address) as opened:
        yield opened


async def test_both_clients_give_the_same_answer(market):
    wanted = WindowFilter(symbols=["AAA", "BBB"], days=4)
    async with AsyncClient(market.address) as aio:
        ours = await aio.importance(wanted, permutation=True)
    assert ours == market.client.importance(wanted, permutation=True)
    assert ours.windows.symbols == 2


def test_the_filters_are_sent_as_they_are(fake, client):
    asked = []
    answer = fake.importance
    fake.importance = lambda wanted, reference: asked.append((wanted, reference)) or answer(wanted, reference)
    wanted = WindowFilter(
        symbols=("A", "B"),
        start=START,
        end=END,
        directions=(Direction.UP, Direction.DOWN),
        exclude_abstained=True,
    )
    reference = WindowFilter(validation=True)
    client.importance(wanted, reference=reference)
    client.importance(WindowFilter(directions="up", days=7))
    client.importance()
    assert asked == [
        (wanted, reference),
        (WindowFilter(directions=(Direction.UP,), days=7), None),
        (WindowFilter(), None),
    ]


def test_parts_are_features_bars_and_cells(client):
    importance = client.importance()
    assert [part.feature for part in importance.features] == [f"feature_{n}" for n in range(8)]
    assert [part.time_index for part in importance.bars] == list(range(6))
    assert len(importance.cells) == 48
    shares = importance.values()
    assert shares.shape == importance.shape == (6, 8)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares.sum(0), [part.share.value for part in importance.features])
    np.testing.assert_allclose(importance.values("importance"), 2 * shares)
    assert np.isnan(importance.values("change")).all()
    assert importance.reference_windows is None


def test_a_reference_gives_changes(client):
    importance = client.importance(reference=WindowFilter(end=START))
    first, second = importance.features[:2]
    assert (first.change.significant, second.change.significant) == (True, False)
    assert first.change.p_value == 0.001
    assert len(importance.reference_parts) == len(importance.parts)
    assert importance.reference_windows.end == START


def test_rows_are_flat_and_have_all_columns(client):
    rows = client.importance(reference=WindowFilter()).rows()
    assert all(tuple(row) == IMPORTANCE_COLUMNS for row in rows)
    assert rows[0]["feature"] == "feature_0"
    assert rows[0]["time_index"] is None
    assert rows[0]["share_low"] < rows[0]["share"] < rows[0]["share_high"]
    assert rows[0]["significant"] is True
    plain = client.importance().rows()
    assert plain[8]["feature"] == ""
    assert plain[8]["time_index"] == 0
    assert plain[0]["change"] is plain[0]["p_value"] is plain[0]["significant"] is None


def test_without_windows_there_are_no_values(market):
    importance = market.client.importance(WindowFilter(start=START, end=END))
    assert importance.parts == ()
    assert importance.values().shape == (0, 0)
    assert importance.rows() == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"window_filter": "AAPL"}, "window_filter"),
        ({"window_filter": WindowFilter(symbols="AAPL")}, "window_filter.symbols"),
        ({"window_filter": WindowFilter(directions=["sideways"])}, "window_filter.directions"),
        ({"window_filter": WindowFilter(days=-1)}, "window_filter.days"),
        ({"window_filter": WindowFilter(validation=1)}, "window_filter.validation"),
        ({"reference": WindowFilter(start=datetime(2026, 1, 1))}, "reference.start"),
        ({"reference": 3}, "reference"),
        ({"max_windows": 2.5}, "max_windows"),
        ({"method": "magic"}, "method"),
        ({"permutation": "yes"}, "permutation"),
    ],
)
def test_malformed_arguments_are_named(client, arguments, field):
    with pytest.raises(InvalidRequestError) as error:
        client.importance(**arguments)
    assert error.value.violations[0].field == field


def test_an_error_of_the_server_is_raised(fake, client):
    def fail(wanted, reference):
        raise NotFoundError("no bars of 'A'", reason="SYMBOL_NOT_FOUND")

    answer, fake.importance = fake.importance, fail
    with pytest.raises(NotFoundError, match="no bars of 'A'"):
        client.importance()
    fake.importance = answer
