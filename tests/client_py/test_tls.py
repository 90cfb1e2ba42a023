"""TLS of a client: which PEM texts are taken, and what is said when server and client reject each other."""

import asyncio
import codecs
import time

import grpc
import pytest
import trustme
from glasstape import AsyncClient, Client, GlasstapeError, InvalidRequestError, Tls, UnavailableError
from glasstape.testing import FakeServer

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
ROOTS = AUTHORITY.cert_pem.bytes()
SERVER, CLIENT, FOREIGN = (
    made.issue_cert("localhost", "127.0.0.1") for made in (AUTHORITY, AUTHORITY, STRANGER)
)


def pair(certificate):
    return {
        "client_key": certificate.private_key_pem.bytes(),
        "client_certificates": certificate.cert_chain_pems[0].bytes(),
    }


@pytest.fixture(scope="module")
def mutual():
    """A server that requires client certificates, as `glasstape serve` does."""
    key = (SERVER.private_key_pem.bytes(), SERVER.cert_chain_pems[0].bytes())
    with FakeServer(credentials=grpc.ssl_server_credentials([key], ROOTS, True)) as server:
        yield server


def refused(**arguments):
    with pytest.raises(InvalidRequestError) as caught:
        Tls(**arguments)
    (violation,) = caught.value.violations
    return violation.field, violation.rule


def as_saved(text, encoding, mark=b""):
    return mark + text.decode().encode(encoding)


SAVED = {
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text,
    "UTF-16": lambda text: as_saved(text, "utf-16"),
    "UTF-16 without a mark": lambda text: as_saved(text, "utf-16-le"),
    "UTF-16 big-endian": lambda text: as_saved(text, "utf-16-be", codecs.BOM_UTF16_BE),
    "UTF-32": lambda text: as_saved(text, "utf-32"),
    "CR LF": lambda text: text.replace(b"\n", b"\r\n"),
    "CR": lambda text: text.replace(b"\n", b"\r"),
    "no last line feed": lambda text: text.rstrip(b"\n"),
    "comments": lambda text: "# Főtanúsítvány\n".encode() + text + b"trailer",
}


@pytest.mark.parametrize("save", SAVED.values(), ids=SAVED)
def test_a_pem_text_is_read_as_editors_save_it(mutual, save):
    tls = Tls(**{name: save(text) for name, text in {"root_certificates": ROOTS, **pair(CLIENT)}.items()})
    with Client(mutual.address, tls=tls) as client:
        assert client.model().ref.name == "fake"


def test_a_bundle_may_have_many_certificates_and_a_chain_its_key(mutual):
    both = CLIENT.private_key_and_cert_chain_pem.bytes()
    tls = Tls(root_certificates=STRANGER.cert_pem.bytes() + ROOTS, client_key=both, client_certificates=both)

    async def main():
        async with AsyncClient(mutual.address, tls=tls) as client:
            return (await client.model()).ref.name

    assert asyncio.run(main()) == "fake"


FIRST_LINE = ROOTS.splitlines()[0]
BODY = ROOTS.splitlines()[1]
NO_CERTIFICATES = [
    (b"", "has no certificate"),
    (b"ca.pem", "has no certificate"),
    (b"-----BEGIN CERTIFICATE-----\ngarbage", "has an incomplete certificate"),
    (ROOTS[: len(ROOTS) // 2], "has an incomplete certificate"),
    (ROOTS + ROOTS[: len(ROOTS) // 2], "has an incomplete certificate"),
    (ROOTS.replace(BODY, b""), "certificate 1 of 1 is damaged"),
    (ROOTS.replace(BODY, b"*" * 64), "certificate 1 of 1 is damaged"),
    (ROOTS + ROOTS.replace(BODY, BODY[::-1]), "certificate 2 of 2 is damaged"),
    (ROOTS.replace(BODY, BODY[:20] + b"\x00" + BODY[21:]), ""),
    (CLIENT.private_key_pem.bytes(), "has no certificate"),
    (b"\x30\x82\x01\xff\xfe\xfd", ": byte "),
]


@pytest.mark.parametrize(("text", "rule"), NO_CERTIFICATES)
def test_certificates_that_cannot_be_read_are_refused(text, rule):
    field, broken = refused(root_certificates=text)
    assert field == "tls.root_certificates"
    assert broken.startswith("must be the bytes of a PEM file")
    assert rule in broken
    assert refused(**pair(CLIENT) | {"client_certificates": text})[0] == "tls.client_certificates"


@pytest.mark.parametrize(
    "value", ["text", bytearray(ROOTS), 5, ["ca.pem"]], ids=lambda value: type(value).__name__
)
def test_a_pem_text_is_bytes(value):
    for name in ("root_certificates", "client_key", "client_certificates"):
        given = {} if name == "root_certificates" else pair(CLIENT)
        expected = (f"tls.{name}", f"must be the bytes of a PEM file, is {type(value).__name__}")
        assert refused(**{**given, name: value}) == expected


def encrypted(header):
    lines = (f"-----BEGIN {header}-----", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,00", "", "AAAA")
    return "\n".join([*lines, f"-----END {header}-----"]).encode()


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (FOREIGN.private_key_pem.bytes(), "must belong to the first certificate of tls.client_certificates"),
        (ROOTS, "has no private key"),
        (CLIENT.private_key_pem.bytes()[:80], "has an incomplete private key"),
        (CLIENT.private_key_pem.bytes() + FOREIGN.private_key_pem.bytes(), "with one private key, has 2"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the private key is damaged"),
        (encrypted("RSA PRIVATE KEY"), "must not be encrypted"),
        (encrypted("ENCRYPTED PRIVATE KEY"), "must not be encrypted"),
    ],
    ids=["foreign", "none", "incomplete", "two", "damaged", "encrypted RSA", "encrypted"],
)
def test_a_key_that_cannot_be_used_is_refused_and_not_shown(key, rule):
    field, broken = refused(**pair(CLIENT) | {"client_key": key})
    assert field == "tls.client_key"
    assert rule in broken
    assert CLIENT.private_key_pem.bytes().splitlines()[1].decode() not in broken


def test_a_key_is_not_shown():
    assert "PRIVATE" not in repr(Tls(**pair(CLIENT)))


REJECTED = {
    "none": ({}, "CLIENT_CERTIFICATE_REQUIRED", "requires a client certificate: set tls.client_key"),
    "of a stranger": (pair(FOREIGN), "CLIENT_CERTIFICATE_REJECTED", "rejects the client certificate"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_missing_or_wrong_client_certificate_ends_calls_and_streams(mutual, name):
    options, reason, sentence = REJECTED[name]
    tls = Tls(root_certificates=ROOTS, **options)

    def check(error):
        assert (error.reason, type(error)) == (reason, UnavailableError)
        assert sentence in str(error)

    with Client(mutual.address, tls=tls) as client:
        for call in (client.model, client.models, lambda: next(iter(client.signals()))):
            with pytest.raises(GlasstapeError) as caught:
                call()
            check(caught.value)
        health = client.health()
    assert (health.serving, health.reachable) == (False, False)
    assert sentence in health.reasons[0]

    async def main():
        async with AsyncClient(mutual.address, tls=tls) as other:
            for call in (other.model, lambda: anext(aiter(other.signals()))):
                with pytest.raises(GlasstapeError) as caught:
                    await call()
                check(caught.value)
            assert sentence in (await other.health()).reasons[0]

    asyncio.run(main())


def test_a_peer_that_closes_every_connection_is_no_lasting_cause():
    """A load balancer without a server behind it does: it heals."""
    import socket
    import ssl
    import tempfile
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(SERVER.private_key_and_cert_chain_pem.bytes())
        file.flush()
        context.load_cert_chain(file.name)
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                accepted = listener.accept()[0]
            except OSError:
                return
            try:
                context.wrap_socket(accepted, server_side=True).close()
            except OSError:
                accepted.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with Client(
            f"127.0.0.1:{listener.getsockname()[1]}", tls=Tls(root_certificates=ROOTS), timeout=2
        ) as client:
            with pytest.raises(GlasstapeError) as caught:
                client.model()
            assert not caught.value.reason
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_server_that_does_not_answer_is_not_serving():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with Client(address, timeout=0.3) as client:
            begin = time.monotonic()
            assert client.ready() is False
            assert time.monotonic() - begin < 5
            health = client.health()
        assert health.reachable is False
        assert "the server does not answer" in health.reasons[0]

        async def main():
            async with AsyncClient(address, timeout=0.3) as other:
                return await other.ready(), await other.health()

        ready, health = asyncio.run(main())
    assert ready is health.serving is health.reachable is False
