from datetime import UTC, datetime, timedelta

import pytest
from glasstape import Bar, Rejection
from glasstape.cli.rejections import grouped
from glasstape.errors import ConflictError, InvalidRequestError, Violation

TIME = datetime(2024, 6, 24, 20, tzinfo=UTC)


def rejected(number, field, rule, reason="BAR_INVALID", symbol="A", kind=InvalidRequestError):
    bar = Bar(
        symbol=symbol, interval="1d", close_time=TIME + timedelta(days=number), open=1.0, high=1.0, low=1.0,
        close=1.0, volume=1.0,
    )  # fmt: skip
    error = kind(f"{field}: {rule}", reason=reason, violations=(Violation(field, rule),) if field else ())
    return bar, Rejection(index=number, symbol=symbol, error=error)


def test_bars_that_break_one_rule_are_one_line_with_count_first_bars_and_remedy():
    rule = "must be 1-32 of A-Z a-z 0-9 . _ : -, is 'B D' (' ' is not allowed)"
    (line,) = grouped(rejected(number, "symbol", rule, symbol="B D") for number in range(100))
    assert line == (
        f"100 rejected: symbol: {rule} (first: B D 2024-06-24T20:00:00+00:00, B D 2024-06-25T20:00:00+00:00, "
        "B D 2024-06-26T20:00:00+00:00 …); rename it with --rename FROM=TO"
    )


def test_values_do_not_split_a_rule_and_rules_do():
    rows = [
        *(rejected(n, "close", f"must lie in low..high ({n}..{n + 1}.5), is {n + 2:e}") for n in range(5)),
        *(rejected(n, "close", f"must be finite and above 0 (1e-12..1e+18), is -{n}") for n in range(7)),
        rejected(1, "open", "must lie in low..high (1..2), is 3"),
    ]
    counts = [line.partition(" rejected: ")[::2] for line in grouped(rows)]
    assert [(count, text.split("(")[0]) for count, text in counts] == [
        ("7", "close: must be finite and above 0 "),
        ("5", "close: must lie in low..high "),
        ("1", "open: must lie in low..high "),
    ]


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("BAR_CONFLICT", "--mode replace"), ("BAR_OUT_OF_ORDER", "--mode backfill"), ("BAR_NEW", None)],
)
def test_the_remedy_follows_from_the_reason(reason, remedy):
    rows = [
        rejected(n, "", f"a bar with other values is stored: ({n}.0, 2e5)", reason, kind=ConflictError)
        for n in range(2)
    ]
    (line,) = grouped(rows)
    assert line.startswith("2 rejected: ")
    assert line.endswith(remedy or ")")


def test_bars_that_the_server_did_not_list_are_counted():
    assert grouped([], 5) == ["5 more rejected, for reasons that the server did not list"]
    assert grouped([]) == []
