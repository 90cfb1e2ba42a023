"""Recording a server into a session file."""

import time

import numpy as np
from glasstape import Quality, QualityLevel, Trust, TrustLevel, Verdict
from glasstape.session import Recorder, read_session
from glasstape.testing import FakeServer, make_confidence_event

TRUST = Trust(value=0.5, level=TrustLevel.MEDIUM, average_precision=0.75, maps=64)


def wait_for(recorder, events):
    end = time.monotonic() + 10
    while recorder.events < events and time.monotonic() < end:
        time.sleep(0.01)


def test_a_completed_recording_has_the_maps_of_all_its_signals(tmp_path):
    with FakeServer() as server:
        server.explain = lambda symbol, window: time.sleep(0.05) or np.ones((6, 8), np.float32)
        with Recorder(server.address, tmp_path / "x.session", methods=["gradient", "occlusion"]) as recorder:
            for number in range(5):
                server.emit(make_confidence_event(f"S{number}"))
            wait_for(recorder, events=5)
            assert recorder.maps < 10
            recorder.complete()
        assert (recorder.maps, recorder.missing, recorder.error) == (10, 0, None)
    assert len(read_session(tmp_path / "x.session").explanations) == 5


def test_the_first_two_methods_are_recorded_with_the_trust_in_their_maps(tmp_path):
    with FakeServer() as server:
        server.judge = lambda symbol, window: Quality(
            level=QualityLevel.FULL, verdict=Verdict.CAUTION, reasons=("weak",), trust=TRUST
        )
        methods = ["scaled_path_gradient", "integrated_gradients", "occlusion"]
        with Recorder(server.address, tmp_path / "x.session", methods=methods) as recorder:
            server.emit(make_confidence_event("A"))
            wait_for(recorder, events=1)
            recorder.complete()
    (maps,) = read_session(tmp_path / "x.session").explanations.values()
    assert [item.method.value for item in maps] == methods
    assert [item.quality.trust for item in maps[:2]] == [TRUST, TRUST]
    assert maps[2].quality is None


def test_both_maps_are_recorded_unless_methods_are_named(tmp_path):
    with FakeServer() as server, Recorder(server.address, tmp_path / "x.session") as recorder:
        server.emit(make_confidence_event("A"))
        wait_for(recorder, events=1)
        recorder.complete()
    (maps,) = read_session(tmp_path / "x.session").explanations.values()
    assert [item.method.value for item in maps] == ["scaled_path_gradient", "integrated_gradients"]
