from glasstape_server.bench import method_speed, stress


def test_concurrent_mixed_calls_all_get_the_answer_they_would_get_alone():
    report, right = stress.run(requests=200, in_flight=32)
    assert right, report
    assert "200 mixed calls" in report


def test_the_speed_of_methods_is_measured_beside_prediction_and_captum():
    table = method_speed.run(["linear"], repeats=5)
    assert "| linear |" in table
    assert "integrated gradients, 16" in table
