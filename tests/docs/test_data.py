"""The examples of docs/data.md are read as the page says."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
from glasstape.barfile import read_bar_file
from glasstape.barfile.arguments import add_bar_file_arguments, options_from

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
EXAMPLE = re.compile(r"### (.+)\n\n```csv\n((?:.+\n)+)```\n\n`(.+)` → (\S+ \S+) UTC, close (\S+)")
EXAMPLES = EXAMPLE.findall(PAGE.read_text())


def test_every_vendor_section_is_an_example():
    layouts = PAGE.read_text().partition("## Vendor layouts")[2]
    assert len(EXAMPLES) == layouts.count("\n### ") > 15


@pytest.mark.parametrize(("name", "text", "options", "close_time", "close"), EXAMPLES)
def test_a_vendor_layout_is_read_as_the_page_says(tmp_path, name, text, options, close_time, close):
    parser = argparse.ArgumentParser()
    parser.add_argument("--interval", default="1d")
    add_bar_file_arguments(parser)
    values = parser.parse_args(shlex.split(options))
    path = tmp_path / "ABC.csv"
    path.write_text(text, encoding="cp949" if "CP949" in name else "utf-8")
    bar = read_bar_file(path, values.interval, options_from(values)).bars[0]
    assert f"{bar.close_time:%Y-%m-%d %H:%M}" == close_time
    assert bar.close == float(close)
