"""Whatever a token, a header or a file of tokens holds, it is somebody's, or refused."""

import contextlib
import json

import pytest
from damage import TRIES, broken
from glasstape_server.access.authorizer import Authorizer
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import InvalidArgument, Unauthenticated
from glasstape_server.signals.delivery import token as tokens
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@TRIES
@given(broken(tokens.encode(tokens.Token(b"e" * 8, 7, b"c" * 8), b"s" * 32), b""))
def test_every_resume_token_is_whole_or_refused(data):
    try:
        found = tokens.decode(data, b"e" * 8, b"s" * 32)
    except InvalidArgument:
        return
    # A token of another epoch says no more than that: the stream is reset.
    assert found.epoch != b"e" * 8 or tokens.encode(found, b"s" * 32) == data


@TRIES
@given(
    st.text(max_size=80)
    | st.builds("Bearer {}".format, st.text(max_size=80))
    | st.builds("Bearer glt_a_{}".format, st.text(max_size=80))
)
def test_every_authorization_is_somebodys_or_refused(scratch, header):
    authorizer = Authorizer(_tokens(scratch))
    with pytest.raises(Unauthenticated):
        authorizer.authorize("/glasstape.v1.InferenceService/Predict", header)


_GRANT = {
    "id": "a",
    "name": "b",
    "scopes": ["signals", "predict"],
    "digest": "0" * 64,
    "certificate": "",
    "created": 1.0,
    "expires": 9e9,
}


def _tokens(scratch):
    path = scratch / "tokens.json"
    if not path.exists():
        path.touch(0o600)
        path.write_text(json.dumps([_GRANT]))
    return TokenFile(path)


@TRIES
@given(broken(json.dumps([_GRANT, {**_GRANT, "id": "c", "digest": "", "certificate": "x"}]).encode()))
def test_every_token_file_is_read_or_refused(scratch, data):
    path = scratch / "others.json"
    path.touch(0o600)
    path.write_bytes(data)
    try:
        read = TokenFile(path)
    except ValueError:
        return
    for grant in read.grants():
        with contextlib.suppress(Unauthenticated):
            read.authenticate(f"glt_{grant.id}_x")
        with contextlib.suppress(Unauthenticated):
            read.check(grant.principal())
        with contextlib.suppress(Unauthenticated):
            read.authenticate_certificate([grant.certificate])
