"""Every command that reads a file of bars reads it alike, or refuses it with the same sentence."""

import pytest
from glasstape.cli import main
from glasstape.testing import FakeServer

ROW = "10,11,9,10.5,1000\n"
TITLES = "date,open,high,low,close,volume\n"
DATES = ("--time-zone", "America/New_York", "--close", "16:00")
REFUSED = {
    "zone": (TITLES + f"2024-06-24,{ROW}", (), "it states no time zone, set --time-zone"),
    "close": (TITLES + f"2024-06-24,{ROW}", DATES[:2], "it is a date, set the local time at which its bar closes"),
    "order": (TITLES + f"04/05/2024,{ROW}", DATES, "set --date-order dmy or --date-order mdy"),
    "decimal": (TITLES + '2024-06-24,"1,084","1,084","1,084","1,084",5\n', DATES, "set --decimal . or --decimal ,"),
    "symbol": (f"symbol,{TITLES}5930.0,2024-06-24,{ROW}", DATES, "symbol must be text: the code became a number"),
    "unknown column": (
        f"thing,{TITLES}A,2024-06-24,{ROW}B,2024-06-24,{ROW}", DATES, "is 'thing' (A, B) the symbol?",
    ),
    "fields": (TITLES + "2024-06-24,10,11,9,10,900,875\n", DATES, "must have 6 fields as the titles, has 7"),
    "missing": (TITLES + "2024-06-24,10,11,9,-,5\n", DATES, "close must have a value: line 2 has '-'"),
    "titles only": (TITLES, DATES, "there are no bars"),
    "HTML": ("<html></html>", DATES, "is HTML or XML"),
    "two closes": ("date,open,high,low,close,close,volume\n", DATES, "are both named close"),
    "zone name": (TITLES + f"2024-06-24,{ROW}", ("--time-zone", "KST"), "must be an IANA time zone"),
    "close at 0:00": (TITLES + f"2024-06-24,{ROW}", ("--close", "00:00"), "00:00 is when a day begins"),
}  # fmt: skip


@pytest.fixture
def commands(tmp_path):
    """Argument lists of the commands that read a file."""
    with FakeServer() as fake:
        yield lambda path: {
            "publish": ["publish", path, "--server", fake.address],
            "train": ["train", "--data", path, "--report"],
            "evaluate": ["evaluate", "--data", path, "--out", str(tmp_path / "out")],
            "doctor": ["doctor", "--offline", "--check-bars", path],
            "serve": ["serve", "--replay", path, "--port", "0", "--data-dir", str(tmp_path / "data")],
        }


@pytest.mark.parametrize("kind", REFUSED)
def test_every_command_refuses_a_file_with_the_same_sentence(commands, tmp_path, capsys, kind):
    text, options, sentence = REFUSED[kind]
    path = tmp_path / "ABC.csv"
    path.write_text(text)
    for name, arguments in commands(str(path)).items():
        status = main([*arguments, *options])
        captured = capsys.readouterr()
        assert status != 0, name
        assert sentence in captured.err + captured.out, name
        assert "Traceback" not in captured.err, name


def test_every_command_names_how_it_read_a_file(commands, tmp_path, capsys):
    path = tmp_path / "ABC.csv"
    path.write_text(TITLES + "".join(f"2024-06-{day},{ROW}" for day in (24, 25, 26)))
    closes = "closes from 2024-06-24 20:00 UTC (2024-06-24 16:00 America/New_York) to 2024-06-26 20:00 UTC"
    for name in ("publish", "train", "doctor"):
        main([*commands(str(path))[name], *DATES])
        captured = capsys.readouterr()
        assert closes in captured.err + captured.out, name
        assert "the symbol is ABC, from the file name" in captured.err + captured.out, name
