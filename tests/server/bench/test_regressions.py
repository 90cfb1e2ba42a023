"""Only what the speed of the machine cannot explain is reported as worse."""

import subprocess

import pytest
from glasstape_server.bench.page import tables
from glasstape_server.bench.regressions import committed, worse
from glasstape_server.bench.report import BenchmarkReport, Measurement


def table(*measurements):
    return {"predict --seconds 2": BenchmarkReport("Predict", "Once.", measurements).to_markdown()}


def calls(*ratios, values=(1000.0, 2000.0, 3000.0)):
    return Measurement("calls", "/s", values, {"echo": ratios})


def latency(*ratios, values=(1.0, 2.0, 3.0)):
    return Measurement("p50", "ms", values, {"echo": ratios})


def test_a_lower_share_of_the_references_throughput_is_worse():
    assert worse(table(calls(1.9, 2.0, 2.1)), table(calls(1.5, 1.5, 1.5))) == [
        "predict: calls / echo: 1.5, was 2 (1.9–2.1)"
    ]


def test_a_longer_time_than_the_references_is_worse():
    assert worse(table(latency(1.9, 2.0, 2.1)), table(latency(2.5, 2.5, 2.5))) == [
        "predict: p50 / echo: 2.5, was 2 (1.9–2.1)"
    ]


@pytest.mark.parametrize("change", [0.87, 1.0, 1.5])
def test_a_change_within_range_and_margin_or_for_the_better_is_not(change):
    assert worse(table(calls(1.5, 1.6, 1.7)), table(calls(1.6 * change))) == []
    assert worse(table(latency(1.5, 1.6, 1.7)), table(latency(1.6 / change))) == []


def test_absolute_times_are_not_compared():
    slow = calls(2.0, values=(10.0,)), latency(2.0, values=(1000.0,)), Measurement("burst", "ms", (9e3,))
    fast = calls(2.0, values=(1e6,)), latency(2.0, values=(0.1,)), Measurement("burst", "ms", (1.0,))
    assert worse(table(*fast), table(*slow)) == []


def test_sizes_are_compared():
    before, after = (table(Measurement("event", "bytes", (size,))) for size in (168.0, 1_200.0))
    assert worse(before, after) == ["predict: event: 1200, was 168 (168–168)"]
    assert worse(after, before) == []


def test_new_and_removed_rows_and_tables_are_no_regressions():
    other = Measurement("other", "/s", (1.0,), {"echo": (0.1,)})
    assert worse(table(calls(2.0)), table(other)) == []
    assert worse({}, table(calls(2.0))) == []
    assert worse({"predict --seconds 2": "| old |"}, table(calls(2.0))) == []


def test_the_last_committed_version_is_the_reference(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- bench start -->\n| first |\n<!-- end -->\n")
    assert tables(committed(page)) == {"start": "| first |\n"}, "outside a repository: as it is"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "page"]):
        subprocess.run([*git, *command], check=True)
    page.write_text("<!-- bench start -->\n| second |\n<!-- end -->\n")
    assert tables(committed(page)) == {"start": "| first |\n"}
