from datetime import UTC, date, datetime

import pytest
from glasstape_server.domain.paper_book import CostRates
from glasstape_server.market.trading_costs import read_costs

MARKETS = ("kr", "us", "fx", "crypto", "free")


@pytest.mark.parametrize(
    ("day", "tax"),
    [
        (date(2010, 1, 4), 0.0030), (date(2019, 5, 29), 0.0030), (date(2019, 5, 30), 0.0025),
        (date(2020, 12, 28), 0.0025), (date(2020, 12, 29), 0.0023), (date(2022, 12, 28), 0.0020),
        (date(2023, 12, 27), 0.0018), (date(2024, 12, 27), 0.0015), (date(2026, 6, 1), 0.0020),
    ],
)  # fmt: skip
def test_the_korean_tax_on_sells_is_that_of_the_trade_date(day, tax):
    rates = read_costs("kr").rates(day)
    assert rates.sell_tax == tax
    assert rates.sell - rates.buy == pytest.approx(tax)


def test_the_korean_price_limit_doubled_in_2015():
    limit = read_costs("kr").price_limit
    assert (limit.on(date(2015, 6, 12)), limit.on(date(2015, 6, 15))) == (0.15, 0.30)


def test_the_american_fee_is_dated_and_small():
    costs = read_costs("us")
    assert [
        costs.rates(date(year, 7, 1)).sell_tax * 1e6 for year in (2018, 2021, 2024, 2025)
    ] == pytest.approx([13.0, 5.1, 27.8, 0.0])
    assert costs.price_limit.on(date(2020, 1, 1)) == 0


def test_a_trade_date_is_local():
    close = datetime(2024, 1, 2, 6, 30, tzinfo=UTC)
    assert read_costs("kr").day(int(close.timestamp()) * 1_000_000) == date(2024, 1, 2)
    assert read_costs("us").day(int(close.timestamp()) * 1_000_000 - 4 * 3_600_000_000) == date(2024, 1, 1)


@pytest.mark.parametrize("market", MARKETS)
def test_every_market_has_rates_below_a_percent(market):
    rates = read_costs(market).rates(date(2024, 1, 1))
    assert 0 <= rates.buy <= rates.sell < 0.01
    assert (rates == CostRates()) == (market == "free")


def test_an_own_file_takes_the_place_of_the_table(tmp_path):
    path = tmp_path / "costs.toml"
    path.write_text(
        '[mine]\ntime_zone = "Asia/Tokyo"\ncommission = 0.001\nsell_tax = [{ from = 2020-01-01, rate = 0.002 }]'
    )
    costs = read_costs("mine", path)
    assert costs.rates(date(1990, 1, 1)) == CostRates(0.001, 0.0, 0.002, 0.0)
    assert costs.with_rates({"commission": 0.0, "borrow": None}).rates(date(2021, 1, 1)).buy == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[us]", r"--market: must be one of us \(.*costs.toml\), is 'mine'"),
        ("mine = 1", r"--market: must be one of mine .*, is 'mine'"),
        ("[mine", "costs.toml: not TOML: "),
        ("[mine]\nfee = 1", "mine.fee: unknown key, must be one of title"),
        ("[mine]\ncommission = 0.2", "mine.commission: must be a number from 0 to 0.1, is 0.2"),
        ("[mine]\ncommission = true", "mine.commission: must be a number from 0 to 0.1, is True"),
        ("[mine]\nborrow = nan", "mine.borrow: must be a number from 0 to 10, is nan"),
        ("[mine]\ntime_zone = 'Seoul'", "mine.time_zone: must be an IANA time zone such as Asia/Seoul, is 'Seoul'"),
        ("[mine]\nsell_tax = []", "mine.sell_tax: dates must be ascending"),
        ("[mine]\nsell_tax = [1]", "mine.sell_tax: must be a number or a list of"),
        ("[mine]\nsell_tax = [{ from = 2020-01-02, rate = 0 }, { from = 2020-01-01, rate = 0 }]",
         "mine.sell_tax: dates must be ascending"),
    ],
)  # fmt: skip
def test_a_file_that_breaks_a_rule_is_refused(tmp_path, text, error):
    path = tmp_path / "costs.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=error):
        read_costs("mine", path)


def test_an_unknown_market_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="--market: must be one of kr, us, fx, crypto, free, is 'jp'"):
        read_costs("jp")


def test_a_rate_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"commission: must be a number from 0 to 0.1, is 0.5"):
        read_costs("us").with_rates({"commission": 0.5})
