import pytest
from glasstape_server.bench.page import remake

PAGE = """# Speed
<!-- bench predict --seconds 2 -->
| old |
<!-- end -->
Words that stay.
<!-- bench start -->
<!-- end -->
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_tables_are_replaced_and_words_stay(page):
    assert remake(page, (), lambda command: f"| {'+'.join(command)} |") == ["predict --seconds 2", "start"]
    assert page.read_text() == PAGE.replace("| old |", "| predict+--seconds+2 |").replace(
        "start -->\n", "start -->\n| start |\n"
    )


def test_only_what_is_asked_for_is_measured(page):
    assert remake(page, ["start"], lambda command: "| new |") == ["start"]
    assert "| old |" in page.read_text()


def test_a_failure_keeps_what_was_made_before(page):
    def measure(command):
        if command == ["start"]:
            raise ValueError("no")
        return "| made |"

    with pytest.raises(ValueError, match="no"):
        remake(page, (), measure)
    assert "| made |" in page.read_text()


def test_a_benchmark_that_the_page_does_not_name_is_refused(page):
    with pytest.raises(ValueError, match="has tables of predict, start, none of gpu"):
        remake(page, ["gpu"], lambda command: "")
