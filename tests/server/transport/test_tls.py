"""Certificates on the disk, and what an operator should know of them."""

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from glasstape_server.transport.tls import Certificates

DAY = timedelta(days=1)


@pytest.fixture
def files(tmp_path):
    """Writes key and certificate that end at a moment; returns the arguments of `Certificates`."""
    authority = trustme.CA()

    def write(end):
        made = authority.issue_cert("localhost", not_before=end - 100 * DAY, not_after=end)
        chain, key = tmp_path / "server.pem", tmp_path / "server.key"
        made.cert_chain_pems[0].write_to_path(chain)
        made.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        return chain, key

    return write


def _now():
    return datetime.now(UTC).replace(microsecond=0)


def test_the_end_of_a_certificate_is_known_and_told_two_weeks_before(files):
    far, near, past = _now() + 60 * DAY, _now() + 13 * DAY, _now() - DAY
    kept = Certificates(*files(far))
    assert kept.expires == far.timestamp()
    assert list(kept.warnings()) == []
    files(near)
    assert list(kept.warnings()) == [f"tls_certificate: expires on {near.date()}"]
    assert kept.expires == near.timestamp()
    files(past)
    assert list(kept.warnings()) == [f"tls_certificate: expired on {past.date()}"]
    files(far)
    assert list(kept.warnings()) == []


def test_a_pair_that_does_not_fit_is_told_once_in_the_log_and_the_old_one_stays(files, caplog):
    end = _now() + 60 * DAY
    chain, key = files(end)
    kept, whole = Certificates(chain, key), key.read_bytes()
    files(_now() + 90 * DAY)
    key.write_bytes(whole)
    for _ in range(3):
        (warning,) = kept.warnings()
        assert warning.startswith(f"certificates were not reloaded: tls_key: {key} does not match")
    assert kept.expires == end.timestamp()
    assert caplog.text.count("certificates were not reloaded") == 1


def test_what_is_no_certificate_is_refused(files):
    chain, key = files(_now() + DAY)
    chain.write_text("-----BEGIN CERTIFICATE-----\nTWljZQ==\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match=f"tls_key: {key} does not match tls_certificate {chain}: "):
        Certificates(chain, key)


def test_a_certificate_whose_end_cannot_be_read_serves_and_is_told(files):
    chain, key = files(_now() + 60 * DAY)
    chain.write_text(chain.read_text().replace(" CERTIFICATE", " TRUSTED CERTIFICATE"))
    kept = Certificates(chain, key)
    assert kept.expires is None
    assert list(kept.warnings()) == [f"tls_certificate: {chain}: its expiry cannot be read"]


def test_files_with_a_byte_order_mark_are_pem(files):
    chain, key = files(_now() + 60 * DAY)
    chain.write_bytes(b"\xef\xbb\xbf" + chain.read_bytes())
    key.write_text(key.read_text(), "utf-16")
    kept = Certificates(chain, key)
    assert list(kept.warnings()) == []
    other, _ = chain.read_bytes(), files(_now() + 90 * DAY)
    chain.write_bytes(other)
    (warning,) = kept.warnings()
    assert "does not match tls_certificate" in warning
