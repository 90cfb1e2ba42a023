"""What is loaded, and what is public."""

import subprocess
import sys

import glasstape
import pytest

PUBLIC = """
AsyncClient AsyncSignalStream AuthenticationError Bar BarValues Baseline BuyEvent Check Client Confidence
ConfidenceEvent ConflictError Counterfactual DataLossError DataState DeadlineError Delivery Direction
Disconnected Driver Entry Event EventBatch EventKind Explanation Feature Gap GlasstapeError Goodbye
GoodbyeReason Health Heartbeat Heatmap HeatmapBatch Instrument InternalError InvalidRequestError Method Model
ModelRef ModelState NotFoundError OpenResult Opened OutOfRangeError OutcomeEvent OverloadedError
PermissionDeniedError PreconditionError Prediction PublishReport Quality QualityLevel Quantity Rejection
ResetReason Score CalibrationState Estimate LabelKind LiveCalibration ReliabilityPoint ShadowRecord
TrackRecordGroup Signal SignalStream Start StreamMessage Tls TrackRecord TrackRecords UnavailableError
UnimplementedError Verdict Violation __version__ in_words
"""


def test_the_public_names_are_these():
    assert sorted(glasstape.__all__) == sorted(PUBLIC.split())
    for name in glasstape.__all__:
        assert getattr(glasstape, name) is not None
    with pytest.raises(AttributeError):
        glasstape.nothing  # noqa: B018


def loaded_by(code):
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_sdk_pulls_neither_torch_nor_qt_nor_the_server():
    modules = loaded_by("from glasstape import Client, AsyncClient, Bar, Explanation, Signal")
    roots = {name.split(".")[0] for name in modules}
    assert not roots & {"torch", "PyQt6", "glasstape_server", "glasstape_qt", "pydantic", "polars", "rich"}


def test_the_command_line_loads_nothing_heavy_for_its_help():
    modules = loaded_by("from glasstape.cli import main; main(['--help'])")
    roots = {name.split(".")[0] for name in modules}
    assert not roots & {"torch", "grpc", "numpy", "google", "pydantic", "rich", "polars"}


def test_the_server_package_imports_without_torch():
    pytest.importorskip("glasstape_server")
    assert "torch" not in loaded_by("import glasstape_server")
