import json

from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios


def test_a_report_has_medians_with_ranges_and_ratios_by_round(tmp_path):
    values, reference = [1000.0, 3000.0, 2000.0], [500.0, 1000.0, 1000.0]
    measurement = Measurement("calls", "/s", values, {"echo": ratios(values, reference)})
    report = BenchmarkReport("Calls", "Alternating.", [measurement])
    assert "| calls | 2,000 /s (1,000–3,000) | 2 (2–3) |" in report.to_markdown()
    report.save(tmp_path / "report.json")
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["measurements"][0]["values"] == values
    assert "torch" in content["machine"]
