"""The trade stream of Korea Investment & Securities: frames, encryption, PINGPONG, lost trades and refusals."""

import base64
import json
from datetime import timedelta

import pytest
from glasstape.sources import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from source_markets import moment, until_error

pytest.importorskip("aiohttp")
pytest.importorskip("exchange_calendars")
pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.padding import PKCS7
from glasstape.sources.kis_stream import parse_trades

KEYS = ("abcdefghijklmnopabcdefghijklmnop", "0123456789abcdef")
PINGPONG = '{"header":{"tr_id":"PINGPONG","datetime":"20251112100000"}}'


def fields(time, price=71900, volume=10, total=10, symbol="005930", day="20251112"):
    """Return the 46 fields of a trade, those that are not read with plausible values."""
    values = ["0"] * 46
    values[:3], values[12:14] = [symbol, time, f"{price}"], [f"{volume}", f"{total}"]
    values[33:36], values[43:46] = [day, "20", "N"], ["0", "", "71000"]
    return values


def frame(*trades, symbol="H0STCNT0"):
    return f"0|{symbol}|{len(trades):03}|" + "^".join("^".join(trade) for trade in trades)


def encrypted(text):
    head, data = text.rsplit("|", 1)
    padder = PKCS7(128).padder()
    cipher = ciphers.Cipher(ciphers.algorithms.AES(KEYS[0].encode()), ciphers.modes.CBC(KEYS[1].encode()))
    encryptor = cipher.encryptor()
    secret = encryptor.update(padder.update(data.encode()) + padder.finalize()) + encryptor.finalize()
    return f"1{head[1:]}|{base64.b64encode(secret).decode()}"


class Stream:
    """The server's side: answers each subscription, then plays steps of frames and of time."""

    def __init__(self, clock, steps, refusal=None):
        self.clock, self.steps, self.refusal, self.received = clock, steps, refusal, []

    async def __call__(self, socket):
        self.received.append(await socket.receive_json())
        symbol = self.received[0]["body"]["input"]["tr_key"]
        body = {"rt_cd": "0", "msg_cd": "OPSP0000", "msg1": "SUBSCRIBE SUCCESS"}
        body["output"] = {"key": KEYS[0], "iv": KEYS[1]}
        header = {"tr_id": "H0STCNT0", "tr_key": symbol, "encrypt": "N"}
        await socket.send_json({"header": header, "body": self.refusal or body})
        for step in self.steps:
            if isinstance(step, timedelta):
                await socket.ping()  # answered after the frames before it were read
                await socket.receive()
                self.clock.time += step
            else:
                await socket.send_str(step)
                if step == PINGPONG:
                    self.received.append(await socket.receive_json())
        await socket.close()


@pytest.fixture
def make(market, make_kis):
    def build(steps, now="2025-11-11T23:50", refusal=None):
        source = make_kis(now)
        market.routes["/oauth2/Approval"] = {"approval_key": "APPROVAL"}
        stream = market.sockets["/tryitout"] = Stream(market.clock, steps, refusal)
        return source, stream

    return build


async def play(source, interval="1m"):
    return await until_error(source.live(["005930"], interval))


def shown(bars):
    return [(f"{bar.close_time:%H:%M}", bar.close, bar.volume, bar.provisional) for bar in bars]


async def test_trades_form_provisional_and_final_bars(market, make):
    source, stream = make(
        [
            timedelta(minutes=10),
            frame(fields("090001", 71000, 3, 3)),
            frame(fields("090030", 71500, 2, 5), fields("090059", 70900, 1, 6)),
            PINGPONG,
            timedelta(seconds=65),
            frame(fields("090105", 71200, 4, 10)),
        ]
    )
    bars, error = await play(source)
    assert shown(bars) == [
        ("00:01", 71000, 3, True),
        ("00:01", 70900, 6, True),
        ("00:02", 71200, 4, True),
        ("00:01", 70900, 6, False),
    ]
    final = bars[-1]
    assert (final.symbol, final.open, final.high, final.low) == ("005930", 71000, 71500, 70900)
    assert type(error) is SourceUnavailableError
    subscription, echo = stream.received
    assert subscription["header"]["approval_key"] == "APPROVAL"
    assert subscription["body"]["input"] == {"tr_id": "H0STCNT0", "tr_key": "005930"}
    assert echo == json.loads(PINGPONG)


async def test_the_closing_auction_ends_the_last_bar(market, make):
    steps = [
        frame(fields("151959", 71000, 1, 1)),
        timedelta(minutes=11, seconds=10),
        frame(fields("153020", 72000, 500, 501)),
        timedelta(seconds=59),  # the auction may end half a minute late
        PINGPONG,
        timedelta(seconds=1),
        frame(fields("154000", 72000, 9, 510)),  # after hours
    ]
    source, _ = make(steps, now="2025-11-12T06:18:50")
    bars, _ = await play(source)
    assert market.clock.now() == moment("2025-11-12T06:31:00")
    assert shown(bars) == [
        ("06:20", 71000, 1, True),
        ("06:20", 71000, 1, False),
        ("06:30", 72000, 500, False),
    ]


async def test_a_bar_with_lost_trades_stays_provisional(market, make):
    steps = [
        timedelta(minutes=10),
        frame(fields("090001", 71000, 3, 3)),
        frame(fields("090110", 71000, 3, 7)),  # one share is missing, of this minute or the one before
        frame(fields("090210", 71000, 3, 10)),
        timedelta(minutes=9),
        frame(fields("091010", 71000, 3, 13)),
    ]
    source, _ = make(steps)
    bars, _ = await play(source)
    assert [f"{bar.close_time:%H:%M}" for bar in bars if not bar.provisional] == ["00:03"]


async def test_a_bar_that_began_before_the_connection_stays_provisional(market, make):
    steps = [frame(fields("090130", 71000, 3, 3)), timedelta(minutes=9), frame(fields("091010", 71000, 3, 6))]
    source, _ = make(steps, now="2025-11-12T00:01:20")
    bars, _ = await play(source)
    assert all(bar.provisional for bar in bars)


async def test_encrypted_frames_are_read(market, make):
    source, _ = make([encrypted(frame(fields("090001", 71000, 3, 3)))], now="2025-11-12T00:00")
    assert shown((await play(source))[0]) == [("00:01", 71000, 3, True)]


def test_frames_of_other_transactions_and_longer_records_are_read():
    assert parse_trades("0|H0STASP0|001|005930^093354", None) == []
    trade = fields("093354", 71900, 1, 3052507)
    first, second = parse_trades(frame([*trade, "new"], [*trade, "new"]), None)
    assert first == second
    assert (first.symbol, first.price, first.total_volume) == ("005930", 71900, 3052507)
    assert first.time == moment("2025-11-12T00:33:54")


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("0|H0STCNT0|001|005930^093354", "2 fields, expected 001 times 46"),
        (frame(fields("093354")).replace("|001|", "|003|"), "46 fields, expected 003 times 46"),
        (frame(fields("093354")).replace("|001|", "|000|"), "cannot be read"),
        (frame(fields("9:33")), "cannot be read"),
        (frame(fields("093354", price="")), "cannot be read"),
        ("1|H0STCNT0|001|AAAA", "cannot be read"),
        ("<html>", "not JSON"),
        ('{"header":{}}', "cannot be read"),
    ],
)
async def test_messages_that_cannot_be_read_end_the_stream(market, make, step, text):
    source, _ = make([step], now="2025-11-12T00:00")
    bars, error = await play(source)
    assert bars == []
    assert type(error) is SourceUnavailableError
    assert text in str(error)


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        ("OPSP0011", "invalid approval : NOT FOUND", CredentialsError),
        ("OPSP8996", "ALREADY IN USE appkey", RateLimitedError),
        ("OPSP0008", "MAX SUBSCRIBE OVER", SourceError),
        ("OPSP9999", "unknown", SourceUnavailableError),
    ],
)
async def test_refused_subscriptions_are_translated(market, make, code, text, error):
    source, _ = make([], refusal={"rt_cd": "1", "msg_cd": code, "msg1": text})
    _, caught = await play(source)
    assert type(caught) is error
    assert str(caught) == f"kis: the subscription of 005930 was refused: {code} {text}"


async def test_a_repeated_subscription_is_accepted(market, make):
    refusal = {"rt_cd": "1", "msg_cd": "OPSP0002", "msg1": "ALREADY IN SUBSCRIBE"}
    source, _ = make([frame(fields("090001"))], now="2025-11-12T00:00", refusal=refusal)
    assert len((await play(source))[0]) == 1


async def test_refused_keys_have_no_approval(market, make):
    source, _ = make([])
    market.routes["/oauth2/Approval"] = (
        403,
        '{"error_code":"EGW00105","error_description":"s3cret is invalid"}',
    )
    _, error = await play(source)
    assert type(error) is CredentialsError
    assert "s3cret" not in str(error)


async def test_symbols_of_another_form_are_refused(make):
    source, _ = make([])
    with pytest.raises(UnknownSymbolError, match=r"^AAPL\.US: expected"):
        await anext(source.live(["AAPL.US"], "1m"))


async def test_more_symbols_than_a_stream_holds_are_polled(market, make):
    source, _ = make([], now="2025-11-12T00:00:30")
    row = {"stck_bsop_date": "20251112", "stck_cntg_hour": "090000", "cntg_vol": "1"}
    row |= dict.fromkeys(("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_prpr"), "100")
    minutes = {"rt_cd": "0", "output1": {"stck_prpr": "100"}, "output2": [row]}
    market.routes["/uapi/domestic-stock/v1/quotations/inquire-time-dailychartprice"] = minutes
    bars = source.live([f"{number:06}" for number in range(41)], "1m")
    bar = await anext(bars)
    await bars.aclose()
    assert (bar.symbol, bar.close_time, bar.provisional) == ("000000", moment("2025-11-12T00:01"), False)
