"""One reader for every text file: what Notepad, PowerShell and other editors save is the same text."""

import argparse
import codecs
import json
import tomllib

import pytest
import trustme
from glasstape.cli.connect import tls_of, token_of
from glasstape.textfile import decode_text, read_pem, read_text

ENCODINGS = {
    "plain": ("utf-8", b""),
    "bom": ("utf-8", codecs.BOM_UTF8),
    "powershell": ("utf-16-le", codecs.BOM_UTF16_LE),
    "big endian": ("utf-16-be", codecs.BOM_UTF16_BE),
    "utf-16 without a mark": ("utf-16-le", b""),
    "big endian without a mark": ("utf-16-be", b""),
    "utf-32": ("utf-32-le", codecs.BOM_UTF32_LE),
}


@pytest.fixture(params=ENCODINGS)
def saved(request, tmp_path):
    """Save a text as an editor does; return the path."""
    encoding, mark = ENCODINGS[request.param]

    def save(text, name="file"):
        (tmp_path / name).write_bytes(mark + text.encode(encoding))
        return tmp_path / name

    return save


def test_text_is_read_as_it_was_meant(saved):
    assert read_text(saved("glt_abc — 하락\r\n")) == "glt_abc — 하락\r\n"
    assert read_text(saved("")) == ""


def test_a_token_file_of_any_editor_holds_the_token(saved):
    options = argparse.Namespace(token_file=saved("glt_abc\r\n"))
    assert token_of(options) == "glt_abc"


def test_certificates_of_any_editor_are_pem(saved):
    pem = trustme.CA().cert_pem.bytes().decode()
    options = argparse.Namespace(
        tls=False, root_certificates=saved(pem), client_key=None, client_certificate=None
    )
    assert tls_of(options).root_certificates == pem.encode()


def test_a_file_without_a_certificate_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ValueError, match=r"ca\.pem: must be PEM$"):
        read_pem(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"glt_\xff", r"^f: byte 4 \(0xff\) is not UTF-8 text; save the file as UTF-8$"),
        (codecs.BOM_UTF16_LE + b"a\x00b", r"^f: byte 4 \(0x62\) is not UTF-16 text; save"),
    ],
)
def test_other_content_is_refused_in_one_wording(content, text):
    with pytest.raises(ValueError, match=text):
        decode_text(content, "f")


def test_the_servers_files_are_read_alike(saved, tmp_path):
    from glasstape_server.access.scopes import Scope
    from glasstape_server.access.tokens import TokenFile
    from glasstape_server.models.artifact import read_manifest
    from glasstape_server.settings import BUNDLED_MODELS, load

    assert tomllib.loads(read_text(saved("port = 7\n"))) == {"port": 7}
    assert load({}, saved("port = 7\n", "server.toml")).port == 7
    TokenFile(tmp_path / "made").create("desk", [Scope.SIGNALS])
    tokens = saved((tmp_path / "made").read_text(), "tokens.json")
    tokens.chmod(0o600)
    assert [grant.name for grant in TokenFile(tokens).grants()] == ["desk"]
    bundled = BUNDLED_MODELS / "sample-conv1d" / "1"
    (tmp_path / "sample-conv1d" / "1").mkdir(parents=True)
    saved((bundled / "manifest.json").read_text(), "sample-conv1d/1/manifest.json")
    assert read_manifest(tmp_path / "sample-conv1d" / "1").name == "sample-conv1d"


def test_the_desktops_files_are_read_alike(saved):
    from glasstape_qt.state.preferences import Preferences, load

    preferences, error = load(saved(json.dumps({"schema_number": 1, "language": "ko"}), "desktop.json"))
    assert (preferences.language, error) == ("ko", "")
    assert isinstance(preferences, Preferences)
