import re

from glasstape_server.bench import method_speed, stress


def test_concurrent_mixed_calls_get_the_same_values_as_isolated_calls():
    report, correct = stress.run(requests=200, in_flight=32)
    assert correct, report
    assert report.startswith("200 mixed calls")


def test_methods_are_measured_relative_to_prediction_and_captum():
    relative, costs, captum = (
        part.splitlines() for part in re.split("\nCost|\nSpeed-up", method_speed.run(["linear"], repeats=5))
    )
    for lines, columns in ((relative, 3), (costs, 5), (captum, 4)):
        (row,) = (line for line in lines if line.startswith("| linear |"))
        cells = row.strip("| ").split(" | ")[1:]
        assert len(cells) == columns
        for cell in cells:
            ratio, one, other = map(float, re.findall(r"[\d.]+", cell))
            assert ratio > 0
            assert one > 0
            assert other > 0
