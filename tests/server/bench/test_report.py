import json

from glasstape_server.bench.report import Figure, Report, ratios


def test_a_report_says_medians_with_ranges_and_ratios_of_the_same_round(tmp_path):
    ours, theirs = [1000.0, 3000.0, 2000.0], [500.0, 1000.0, 1000.0]
    report = Report("Calls", "In turns.", [Figure("ours", "/s", ours, {"theirs": ratios(ours, theirs)})])
    assert "| ours | 2,000 /s (1,000–3,000) | 2 (2–3) |" in report.to_markdown()
    report.save(tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["figures"][0]["values"] == ours
    assert "torch" in found["machine"]
