"""Both readers of bar files give equal bars or equal refusals, and the bars that a file means."""

import os
from dataclasses import replace

import pytest
from bar_files import Made, damaged, files, micros
from glasstape.barfile import BarFileError, BarFileOptions, read_bar_file
from glasstape_server.market.files import BarFiles
from hypothesis import HealthCheck, given, settings

OPTIONS = ("--time-zone", "--close", "--date-order", "--decimal", "--stamp")
EXAMPLES = settings(
    max_examples=int(os.environ.get("GLASSTAPE_BAR_FILES", "150")),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def by_rows(path, made):
    file = read_bar_file(path, made.interval, made.options)
    bars = [
        (bar.symbol, micros(bar.close_time), bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in file.bars
    ]
    return bars, file.lines, file.notes


def by_columns(path, made):
    read = BarFiles([path], made.interval, made.options)
    frame = read.read().sort("row")
    bars = list(frame.drop("file", "row").iter_rows())
    return bars, frame["row"].to_list(), read.notes


def outcome(reader, path, made):
    try:
        return reader(path, made)
    except BarFileError as error:
        return str(error)


@EXAMPLES
@given(made=files())
def test_a_file_is_read_as_it_was_meant(tmp_path, made):
    path = tmp_path / "bars.csv"
    path.write_bytes(made.data)
    bars, lines, notes = by_rows(path, made)
    assert bars == made.bars
    assert by_columns(path, made) == (bars, lines, notes)


@EXAMPLES
@given(made=damaged())
def test_a_damaged_file_is_read_or_refused_alike(tmp_path, made):
    path = tmp_path / "bars.csv"
    path.write_bytes(made.data)
    assert outcome(by_columns, path, made) == outcome(by_rows, path, made)


@EXAMPLES
@given(made=files())
def test_what_a_file_leaves_open_is_never_guessed(tmp_path, made):
    """Without options, every bar that is read is one that the file means."""
    path = tmp_path / "bars.csv"
    path.write_bytes(made.data)
    read = outcome(by_rows, path, replace(made, options=BarFileOptions()))
    if isinstance(read, str):
        assert any(option in read for option in OPTIONS)
        return
    bars, _, notes = read
    if made.options.stamp != "open" and not any("--stamp" in note for note in notes):
        assert bars == made.bars


def test_a_folder_is_refused_by_both(tmp_path):
    for read in (read_bar_file, lambda path, interval: BarFiles([path], interval)):
        with pytest.raises(BarFileError, match="is a folder; list its files"):
            read(tmp_path, "1d")


def test_both_name_the_first_line_that_proves_a_sign(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text(
        "Date;Open;High;Low;Close;Volume\n2024-03-13;1;2;1.5;2;3\n2024-03-14;1,5;2;1;2;3\n2024-03-15;1.5;2;1;2;3\n"
    )
    made = Made(path.read_bytes(), "1d", BarFileOptions(time_zone="UTC", close=1), [])
    assert outcome(by_columns, path, made) == outcome(by_rows, path, made)
    assert "line 2 has '1.5', line 3 has '1,5'" in outcome(by_rows, path, made)
