"""Random files of bars whose right reading is known."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from glasstape.barfile import BarFileOptions
from hypothesis import strategies as st

ZONES = ("UTC", "America/New_York", "Asia/Seoul", "Europe/Berlin", "Australia/Sydney", "Asia/Kolkata")
TITLES = (
    ("symbol", "date", "time", "open", "high", "low", "close", "volume"),
    ("Ticker", "Date", "Time", "Open", "High", "Low", "Close/Last", "Volume"),
    ("종목코드", "일자", "시간", "시가", "고가", "저가", "종가", "거래량"),
    ("<TICKER>", "<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
)
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%b %d, %Y", "%d-%b-%Y")
CLOCKS = ("%H:%M", "%H:%M:%S", "%H%M%S", "%I:%M %p")
SYMBOLS = ("AAPL", "005930", "BRK.B", "BTC/USDT", "^GSPC", "KR7005930003")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}


@dataclass(frozen=True)
class Made:
    """A file, how it is to be read, and the bars that it means."""

    data: bytes
    interval: str
    options: BarFileOptions
    bars: list[tuple]
    """Symbol, close in microseconds UTC, open, high, low, close, volume; in the file's order."""


def micros(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


def number(value, decimals, decimal, groups):
    text = f"{value:,.{decimals}f}" if groups else f"{value:.{decimals}f}"
    if decimal == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    return text


@st.composite
def files(draw):
    """Files of every layout; what they leave open is stated by their options."""
    daily = draw(st.booleans())
    interval = "1d" if daily else draw(st.sampled_from(["1m", "5m", "15m"]))
    zone = draw(st.sampled_from(ZONES))
    titles = draw(st.sampled_from(TITLES))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = "." if titles[0].startswith("<") else draw(st.sampled_from([".", ","]))
    groups, quoted = draw(st.booleans()), draw(st.booleans())
    if (decimal == "," or groups) and delimiter == ",":
        quoted = True
    close = draw(st.sampled_from([16 * 60, 15 * 60 + 30, 24 * 60, 17 * 60]))
    form = draw(
        st.sampled_from(
            ["date", "midnight", "offset"] if daily else ["joined", "one", "offset", "s", "ms", "us"]
        )
    )
    date_form = draw(st.sampled_from(DATES))
    clock_form = draw(st.sampled_from(CLOCKS if form == "joined" else CLOCKS[:2]))
    if form in ("offset", "midnight") or (form == "one" and date_form in ("%Y%m%d", "%b %d, %Y")):
        date_form = "%Y-%m-%d"
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=3, unique=True))
    first = draw(st.dates(date(2001, 1, 2), date(2031, 6, 1)))
    stamp = draw(st.sampled_from(["close", "open"])) if not daily else ""
    length = timedelta(minutes=int(interval[:-1])) if not daily else timedelta(days=1)
    tz = ZoneInfo(zone)
    rows, bars = [], []
    for index in range(draw(st.integers(2, 25))):
        if daily:
            day = datetime.combine(first + timedelta(days=index), datetime.min.time())
            at = (day + timedelta(minutes=close)).replace(tzinfo=tz)
            written = day
        else:
            # Between 10:00 and 15:00, when no zone changes its clocks.
            written = datetime.combine(first + timedelta(days=index // 12), datetime.min.time())
            written += timedelta(hours=10) + length * (index % 12 + 1)
            at = written.replace(tzinfo=tz) + (length if stamp == "open" else timedelta())
        for symbol in symbols:
            decimals = draw(st.sampled_from([2, 4]))
            low = draw(st.integers(100, 2_000_000)) / 100
            values = [low + 0.25, low + 0.5, low, low + 0.25]
            volume = draw(st.integers(0, 10_000_000))
            texts = [number(value, decimals, decimal, groups) for value in values]
            volume_text = number(volume, 0, decimal, groups)
            moment = written.replace(tzinfo=tz)
            if form == "joined":
                time = [written.strftime(date_form), written.strftime(clock_form)]
            elif form == "date":
                time = [written.strftime(date_form)]
            elif form == "midnight":
                time = [written.strftime("%Y-%m-%d %H:%M:%S")]
            elif form == "offset":
                time = [moment.isoformat(sep=draw(st.sampled_from(" T")))]
            elif form == "one":
                time = [written.strftime(f"{date_form} {clock_form}")]
            else:
                time = [str(micros(moment) // UNITS[form])]
            cells = [symbol, *time, *texts, volume_text]
            rows.append(
                delimiter.join(f'"{cell}"' if quoted or delimiter in cell else cell for cell in cells)
            )
            prices = [float(f"{value:.{decimals}f}") for value in values]
            bars.append((symbol, micros(at.astimezone(UTC)), *prices, float(volume)))
    if draw(st.booleans()):
        rows, bars = rows[::-1], bars[::-1]
    head = [titles[0], titles[1], *([titles[2]] if form == "joined" else []), *titles[3:]]
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    text = ending.join([delimiter.join(head), *rows]) + ending
    encodings = (
        ["utf-8", "utf-8-sig", "utf-16", "cp949"] if titles is TITLES[2] else ["utf-8", "utf-8-sig", "utf-16"]
    )
    order = {"%d.%m.%Y": "dmy", "%m/%d/%Y": "mdy"}.get(date_form, "")
    options = BarFileOptions(
        time_zone=zone, close=close * 60_000_000, stamp=stamp, date_order=order, decimal=decimal
    )
    return Made(text.encode(draw(st.sampled_from(encodings))), interval, options, bars)


@st.composite
def damaged(draw):
    """Files in which some cells, lines or options were changed: read or refused, in both readers alike."""
    made = draw(files())
    text = bytearray(made.data)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text) - 1))
        kind = draw(st.sampled_from(["insert", "delete", "replace", "line"]))
        if kind == "insert":
            text[at:at] = draw(
                st.sampled_from([b",", b'"', b" ", b"-", b".", b"0", b"\n", b"nan", b"K", b"$", b"1e5", b"x"])
            )
        elif kind == "delete":
            del text[at : at + draw(st.integers(1, 12))]
            text = text or bytearray(b"x")
        elif kind == "replace":
            text[at] = draw(st.sampled_from(b"0159,.;:-/ \tTZ"))
        else:
            text[at:at] = draw(st.sampled_from([b"\n\n", b"\n,,,,\n", b"\nsymbol,date\n"]))
    plain = BarFileOptions()
    stated = made.options
    options = BarFileOptions(
        time_zone=draw(st.sampled_from([stated.time_zone, stated.time_zone, plain.time_zone])),
        close=draw(st.sampled_from([stated.close, stated.close, None])),
        stamp=draw(st.sampled_from([stated.stamp, stated.stamp, ""])),
        date_order=draw(st.sampled_from([stated.date_order, ""])),
        decimal=draw(st.sampled_from([stated.decimal, ""])),
        accepted=draw(
            st.sampled_from(
                [frozenset(), frozenset({"fields", "missing", "time", "number", "symbol", "skipped"})]
            )
        ),
    )
    interval = draw(st.sampled_from([made.interval, made.interval, "1d", "1h", "1w"]))
    return Made(bytes(text), interval, options, made.bars)
