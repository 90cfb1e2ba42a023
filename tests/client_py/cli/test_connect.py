"""Options of a connection: files of tokens and certificates that cannot be used are refused by option."""

import codecs

import pytest
import trustme
from glasstape.cli import main
from glasstape.testing import FakeServer

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
CLIENT, FOREIGN = AUTHORITY.issue_cert("client"), STRANGER.issue_cert("client")


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


@pytest.mark.parametrize("name", ["GLASSTAPE_TOKEN_FILE", "GLASSTAPE_SERVER"])
def test_an_empty_variable_is_not_set(fake, monkeypatch, capsys, name):
    monkeypatch.setenv("GLASSTAPE_SERVER", fake.address)
    monkeypatch.setenv(name, "")
    arguments = ["--server", fake.address] if name == "GLASSTAPE_SERVER" else []
    assert main(["models", *arguments]) == 0
    assert "fake" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option", ["--token-file", "--root-certificates", "--client-certificate", "--client-key"]
)
def test_an_option_without_a_file_is_refused_by_name(fake, capsys, option):
    with pytest.raises(SystemExit) as caught:
        main(["models", "--server", fake.address, option, ""])
    assert caught.value.code == 2
    assert f"{option}: must name a file, is empty" in capsys.readouterr().err


def test_certificates_that_cannot_be_used_are_refused_by_option(fake, tmp_path, capsys):
    contents = {
        "ca": AUTHORITY.cert_pem.bytes()[:-40],
        "chain": CLIENT.cert_chain_pems[0].bytes(),
        "key": FOREIGN.private_key_pem.bytes(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(codecs.BOM_UTF8 + content)
    pair = ["--client-certificate", str(tmp_path / "chain"), "--client-key", str(tmp_path / "key")]
    for options, sentence in (
        (
            ["--root-certificates", str(tmp_path / "ca")],
            "--root-certificates: must be the bytes of a PEM file",
        ),
        (pair, "--client-key: must belong to the first certificate"),
    ):
        assert main(["models", "--server", fake.address, *options]) == 1
        assert sentence in capsys.readouterr().err
