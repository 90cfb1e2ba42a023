"""What a server refuses to start with, and that its folder is free again then."""

import asyncio
import subprocess
import sys

import pytest
import trustme
from glasstape_server.app import App
from glasstape_server.settings import Settings, load
from glasstape_server.startup import StartError
from tls_files import certificate


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"host": "0.0.0.0"}, "host: 0.0.0.0 is not a loopback address and there is no --tls-certificate"),
        ({"host": "0.0.0.0", "tls": True}, "not a loopback address and there is no --tokens"),
        ({"tokens": "tokens.json"}, "has no tokens; create one with `glasstape tokens create`"),
        ({"tls": True, "open_key": True}, "tls_key: .* has mode 0644, others may read it; run chmod"),
        ({"tls": True, "no_pem": True}, "tls_certificate: .* must be PEM"),
        ({"tls": True, "other_key": True}, "tls_key: .* does not match tls_certificate"),
        ({"tls": True, "no_key": True}, "tls_key: .*: No such file"),
    ],
)
def test_a_server_that_would_stand_open_or_shut_does_not_start(authority, tmp_path, settings, text):
    given = {"data_dir": tmp_path / "data", "port": 0, **settings}
    if given.pop("tls", False):
        key, chain = certificate(authority, tmp_path)
        if given.pop("open_key", False):
            key.chmod(0o644)
        if given.pop("no_pem", False):
            chain.write_text("nothing")
        if given.pop("other_key", False):
            key, _ = certificate(authority, tmp_path, "other")
        if given.pop("no_key", False):
            key.unlink()
        given |= {"tls_key": key, "tls_certificate": chain}
    if "tokens" in given:
        given["tokens"] = tmp_path / given["tokens"]
    with pytest.raises(StartError, match=text):
        App(Settings(**given))
    if (tmp_path / "data").exists():
        asyncio.run(_make_and_stop(Settings(data_dir=tmp_path / "data", port=0)))  # the folder is free again


async def _make_and_stop(settings):
    await App(settings).stop()


def test_half_of_a_certificate_is_refused():
    with pytest.raises(ValueError, match=r"^settings: tls_key: .* must be set together \(value: .*x'\)$"):
        load({"tls_key": "x"})


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing", "is a link to missing, which does not exist"),
        ("data", "is a link to data, which does not exist"),
        ("file", "is a link to file, which is not a folder"),
        ("", "is not a folder"),
    ],
    ids=["dangling", "loop", "link-to-file", "file"],
)
def test_a_data_folder_that_is_none_is_named_with_the_reason(tmp_path, target, reason):
    folder = tmp_path / "data"
    (tmp_path / "file").write_text("")
    folder.symlink_to(target) if target else folder.write_text("")
    with pytest.raises(StartError, match=f"^data_dir: {folder}: {reason}$"):
        App(Settings(data_dir=folder, port=0))


def test_a_live_server_does_not_load_the_readers_of_bar_files():
    """They take a tenth of its idle memory."""
    program = "import sys, glasstape_server.app; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
