"""What is loaded, and what is public."""

import subprocess
import sys
import typing

import glasstape
import pytest


def test_every_public_name_is_there():
    for name in [*glasstape.__all__, "__version__"]:
        assert getattr(glasstape, name) is not None
    assert {"Client", "AsyncClient", "Bar", "Event", "GlasstapeError", "in_words"} <= set(glasstape.__all__)
    assert not [name for name in glasstape.__all__ if name.startswith("_")]
    with pytest.raises(AttributeError):
        glasstape.nothing  # noqa: B018


def test_every_name_of_a_message_of_the_stream_is_public():
    kinds = typing.get_args(glasstape.StreamMessage)
    assert {kind.__name__ for kind in kinds} <= set(glasstape.__all__)


def loaded_by(code):
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stdout.split()}


def test_the_sdk_pulls_neither_torch_nor_qt_nor_the_server():
    loaded = loaded_by("from glasstape import Client, AsyncClient, Bar, Explanation, Signal")
    assert not loaded & {"torch", "PyQt6", "glasstape_server", "glasstape_qt", "pydantic", "polars", "rich"}


def test_naming_a_client_loads_neither_messages_nor_arrays():
    loaded = loaded_by("from glasstape import Client, AsyncClient, Method, UnavailableError")
    assert "grpc" in loaded
    assert not loaded & {"numpy", "google"}


def test_the_command_line_loads_nothing_heavy_for_its_help():
    loaded = loaded_by("from glasstape.cli import main; main(['--help'])")
    assert not loaded & {"torch", "grpc", "numpy", "google", "pydantic", "rich", "polars"}


def test_the_server_package_imports_without_torch():
    pytest.importorskip("glasstape_server")
    assert "torch" not in loaded_by("import glasstape_server")
