import json

import pytest
from glasstape import Instrument, InvalidRequestError
from glasstape.barfile import BarFileError
from glasstape.cli import main
from glasstape.cli.instrument_file import instruments_beside, read_instruments, side_file
from glasstape.symbols import is_symbol
from glasstape.testing import FakeServer
from hypothesis import given, settings
from hypothesis import strategies as st

KOREAN = "종목코드,종목명,시장,업종\n005930,삼성전자,KOSPI,전기전자\n000660,SK하이닉스,KOSPI,전기전자\n"


@pytest.fixture
def server():
    with FakeServer() as fake:
        yield fake


@pytest.fixture
def run(capsys):
    def call(*arguments):
        status = main(["instruments", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


@pytest.fixture
def write(tmp_path):
    def call(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return call


@pytest.mark.parametrize(
    "content",
    [
        KOREAN.encode(),
        KOREAN.encode("cp949"),
        KOREAN.encode("utf-8-sig"),
        KOREAN.encode("utf-16"),
        KOREAN.replace(",", "\t").replace("\n", "\r\n\r\n").encode(),
        KOREAN.replace(",", ";").encode(),
    ],
)
def test_a_table_is_imported_in_any_encoding_and_delimiter(server, run, write, content):
    assert run("import", str(write(content)), "--server", server.address) == (
        0,
        "2 instruments imported\n",
        "",
    )
    assert server.instruments["005930"] == Instrument(
        symbol="005930", local_name="삼성전자", exchange="XKRX", sector="전기전자"
    )


def test_an_import_keeps_fields_that_it_does_not_name(server, run, write):
    for content in ("symbol,name,tick\nA,Alpha,0.01\nB,Beta,\n", "symbol,sector,tick\nA,Energy,\n"):
        assert run("import", str(write(content)), "--server", server.address)[0] == 0
    assert server.instruments["A"] == Instrument(symbol="A", name="Alpha", tick_size=0.01, sector="Energy")
    assert server.instruments["B"] == Instrument(symbol="B", name="Beta")


def test_columns_that_are_not_understood_are_named(server, run, write):
    path = write("symbol,name,PER\nA,Alpha,9.5\n")
    status, out, err = run("import", str(path), "--server", server.address, "--json")
    assert (status, json.loads(out), err) == (0, {"imported": 1}, "ignored columns: PER\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("{}", "is JSON, expected CSV"),
        ("symbol,name\n", "must have titles and at least one row, is empty"),
        ("id,name\nA,Alpha\n", "must have a column for symbol, has id, name"),
        ("symbol,PER\nA,9\n", "must have a column that describes instruments, has symbol, PER"),
        ("symbol,name\n\nA,Alpha\nB,Beta,2\n", ":4: must have 2 values as its titles, has 3"),
        ("symbol,name,name\nA,1,2\n", "must have each title once, has 'name' again"),
        (
            "symbol,tick\nA,0.01\nB,much\n",
            ":3 (B): tick: must be a number above 0 and at most 1e+09, is 'much'",
        ),
        (
            'symbol,name\nA,"' + "x" * 200_000 + '"\n',
            ":2: must be CSV: field larger than field limit (131072)",
        ),
        (b"\xff\xfes\x00y", "is not utf-16-le throughout; save it as UTF-8"),
        (b"symbol,name\nA,\xff\xff\xff\n", "is neither UTF-8 nor Korean CP949"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_sentence(server, run, write, content, sentence):
    path = write(content)
    status, out, err = run("import", str(path), "--server", server.address)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert str(path) in err
    assert sentence in err
    assert server.calls["PublishBars"] == 0


def test_a_list_is_imported_again_unchanged(server, run, write):
    described = Instrument(
        symbol="BTC/USDT", name='Bitcoin, "spot"', local_name="비트코인", exchange="24/7", time_zone="UTC",
        currency="USDT", tick_size=0.01, price_decimals=2, price_limit=0.3, sector="Crypto", industry="Currency",
    )  # fmt: skip
    server.instruments["BTC/USDT"] = described
    _, table, _ = run("list", "--server", server.address, "--csv")
    server.instruments.clear()
    assert run("import", str(write(table)), "--server", server.address)[0] == 0
    assert server.instruments == {"BTC/USDT": described}


def test_a_list_shows_what_is_learned_and_assumed(server, run, write):
    pytest.importorskip("rich")
    server.instruments["A"] = Instrument(
        symbol="A", name="[bold]Alpha", price_decimals=2, learned=("price_decimals",)
    )
    _, table, _ = run("list", "--server", server.address)
    assert "[bold]Alpha" in table
    assert "2~" in table
    assert "UTC?" in table
    _, lines, _ = run("list", "--server", server.address, "--json")
    assert json.loads(lines)["learned"] == ["price_decimals"]
    _, out, _ = run("list", "--server", server.address, "--csv")
    assert out.splitlines()[1] == "A,[bold]Alpha,,,,,,,,,"


def test_unknown_symbols_of_a_list_are_named(server, run):
    status, _, err = run("list", "--server", server.address, "NONE")
    assert (status, err) == (1, "glasstape instruments: unknown symbols: NONE\n")


def test_a_dry_run_sends_nothing(server, run, write):
    status, out, _ = run("import", str(write(KOREAN)), "--server", server.address, "--dry-run")
    assert (status, server.calls["PublishBars"]) == (0, 0)
    assert "005930,,삼성전자,XKRX,,,,,,전기전자," in out


def test_a_parquet_table_needs_symbols_as_text(write, tmp_path):
    pl = pytest.importorskip("polars")
    path = tmp_path / "table.parquet"
    pl.DataFrame({"symbol": ["005930", "A"], "name": ["삼성전자", None], "decimals": [0, 2]}).write_parquet(
        path
    )
    assert list(read_instruments(path).instruments) == [
        Instrument(symbol="005930", local_name="삼성전자", price_decimals=0),
        Instrument(symbol="A", price_decimals=2),
    ]
    pl.DataFrame({"symbol": [5930], "name": ["삼성전자"]}).write_parquet(path)
    with pytest.raises(
        InvalidRequestError, match="symbol: must be text, the column is Int64: leading zeros are lost"
    ):
        read_instruments(path)
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InvalidRequestError, match="must be a Parquet file: "):
        read_instruments(path)


def test_the_table_beside_a_file_of_bars_is_found(write, tmp_path):
    bars = tmp_path / "prices.csv.gz"
    assert side_file(bars) is None
    beside = write(KOREAN, "prices.instruments.csv")
    assert side_file(bars) == beside
    nearer = write(KOREAN, "prices.csv.gz.instruments.csv")
    assert side_file(bars) == nearer
    assert [item.symbol for item in instruments_beside(bars, None)] == ["005930", "000660"]
    assert [item.symbol for item in instruments_beside(bars, write("symbol,name\nA,Alpha\n"))] == ["A"]
    assert instruments_beside(tmp_path / "other.csv", None) == ()


def test_publish_sends_the_table_beside_the_bars(server, write, capsys):
    bars = write("symbol,date,open,high,low,close,volume\n005930,2024-01-02,1,1,1,1,1\n", "prices.csv")
    write(KOREAN, "prices.instruments.csv")
    arguments = [
        "--server",
        server.address,
        "--mode",
        "backfill",
        "--close",
        "15:30",
        "--time-zone",
        "Asia/Seoul",
    ]
    assert main(["publish", str(bars), *arguments]) == 0
    assert server.instruments["000660"].local_name == "SK하이닉스"
    assert len(server.published) == 1
    other = write("symbol,name\n005930,Samsung\n", "other.csv")
    assert main(["publish", str(bars), *arguments, "--instruments", str(other)]) == 0
    assert server.instruments["005930"].name == "Samsung"
    write("symbol,tick\n005930,-1\n", "prices.instruments.csv")
    before = len(server.published)
    assert main(["publish", str(bars), *arguments]) == 1
    assert "prices.instruments.csv:2 (005930): tick: must be a number above 0" in capsys.readouterr().err
    assert len(server.published) == before


cells = st.text(st.sampled_from("A0.,;\"'%-\n\t|삼é\x00\ufeff "), max_size=6) | st.sampled_from(
    [
        "symbol",
        "종목명",
        "tick",
        "decimals",
        "price limit",
        "tz",
        "market",
        "0.01",
        "30%",
        "UTC",
        "KOSPI",
        "nan",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(cells, max_size=4), max_size=5),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp949"]),
)
def test_any_table_is_read_or_refused_in_words(tmp_path_factory, rows, encoding):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    path.write_bytes("\n".join(",".join(row) for row in rows).encode(encoding, errors="replace"))
    try:
        table = read_instruments(path)
    except (InvalidRequestError, BarFileError) as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert all(is_symbol(item.symbol) for item in table.instruments)
