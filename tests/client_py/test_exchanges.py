from zoneinfo import ZoneInfo

import pytest
from glasstape.exchanges import ZONES, code_of, zone_of


def test_every_exchange_has_a_zone_of_the_database():
    assert [ZoneInfo(zone).key for zone in ZONES.values()] == list(ZONES.values())


@pytest.mark.parametrize(
    ("name", "code", "zone"),
    [
        ("KOSPI", "XKRX", "Asia/Seoul"), ("코스닥", "XKRX", "Asia/Seoul"), ("XKOS", "XKOS", "Asia/Seoul"),
        ("Nasdaq", "XNAS", "America/New_York"), ("NYSE  Arca", "ARCX", "America/New_York"),
        ("24/7", "24/7", "UTC"), ("Somewhere", "Somewhere", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_names_of_exchanges_have_codes_and_zones(name, code, zone):
    assert code_of(name) == code
    assert zone_of(code) == zone
