import pytest
from glasstape_server.bench.page import update_tables

PAGE = """# Speed
<!-- bench predict --seconds 2 -->
| old |
<!-- end -->
Other text.
<!-- bench start -->
<!-- end -->
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_tables_are_replaced_and_other_text_is_kept(page):
    assert update_tables(page, (), lambda command: f"| {'+'.join(command)} |") == [
        "predict --seconds 2",
        "start",
    ]
    assert page.read_text() == PAGE.replace("| old |", "| predict+--seconds+2 |").replace(
        "start -->\n", "start -->\n| start |\n"
    )


def test_only_selected_benchmarks_run(page):
    assert update_tables(page, ["start"], lambda command: "| new |") == ["start"]
    assert "| old |" in page.read_text()


def test_a_failure_keeps_earlier_updates(page):
    def measure(command):
        if command == ["start"]:
            raise ValueError("no")
        return "| updated |"

    with pytest.raises(ValueError, match="no"):
        update_tables(page, (), measure)
    assert "| updated |" in page.read_text()


def test_a_benchmark_without_a_table_is_rejected(page):
    with pytest.raises(ValueError, match="has tables of predict, start, none of gpu"):
        update_tables(page, ["gpu"], lambda command: "")
