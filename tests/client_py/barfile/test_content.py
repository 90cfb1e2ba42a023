"""What a file of bars is by its content."""

import gzip

import pytest
from bar_text import NEW_YORK, TITLES, day_rows, note
from glasstape.barfile import BarFileError


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("cp949"),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text.encode("cp949")),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
    ],
)
def test_text_is_decoded_by_its_content(read, encode):
    text = (
        "종목코드,일자,시가,고가,저가,종가,거래량\n" + "005930,2024-03-04,71000,71500,70500,71200,1000\n" * 3
    )
    (bar, *_) = read(encode(text), **NEW_YORK).bars
    assert (bar.symbol, bar.close, bar.volume) == ("005930", 71_200.0, 1000.0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<html><body>429</body></html>", "is HTML or XML"),
        (b'{"error": "rate limit"}', "is JSON"),
        (b'[{"date": "2024-01-02"}]', "is JSON"),
        (b"PK\x03\x04rest", "a zip archive or a workbook"),
        (b"\xd0\xcf\x11\xe0rest", "a workbook (.xls)"),
        (b"PAR1rest", "is Parquet"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"%PDF-1.7", "a PDF document"),
        (b"", "is empty: there are no bars"),
        (b"\n\n", "is empty: there are no bars"),
        (b"a\x00b,\x00\x00\x00", "holds zero bytes"),
        (b"date,open\n2024-01-02,\xff\xfe\n", "neither UTF-8 nor Korean CP949"),
        (gzip.compress(b"<html>", mtime=0), "is HTML or XML"),
        (gzip.compress(TITLES.encode(), mtime=0)[:-6], "cannot be read"),
        (TITLES.encode(), "there are no bars"),
    ],
)
def test_a_file_of_another_kind_is_named(read, data, text):
    with pytest.raises(BarFileError, match=r"ABC\.csv: ") as refused:
        read(data)
    assert text in str(refused.value)


def test_a_cut_last_line_is_warned_about(read):
    assert note(read(day_rows("2024-06-26")[:-1], **NEW_YORK), "its last row may be cut")
    assert not note(read(day_rows("2024-06-26"), **NEW_YORK), "may be cut")
