import pytest
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.signals.delivery.token import Token, decode, encode, is_genuine

EPOCH, SECRET = b"epoch-01", b"s" * 32
TOKEN = Token(EPOCH, 42, b"chain-42")


def test_a_token_comes_back():
    assert decode(encode(TOKEN, SECRET), EPOCH, SECRET) == TOKEN


def test_a_token_of_another_epoch_is_read_and_its_tag_tells_whose_it_is():
    ours, other = (encode(Token(b"epoch-00", 1, b"12345678"), secret) for secret in (SECRET, b"x" * 32))
    for raw, genuine in ((ours, True), (other, False)):
        assert decode(raw, EPOCH, SECRET).epoch == b"epoch-00"
        assert is_genuine(raw, SECRET) is genuine


@pytest.mark.parametrize("position", range(1, 33))
def test_no_byte_can_be_changed_within_an_epoch(position):
    raw = bytearray(encode(TOKEN, SECRET))
    raw[position] ^= 1
    if position <= 8:
        assert decode(bytes(raw), EPOCH, SECRET).epoch != EPOCH
        return
    with pytest.raises(InvalidArgument) as caught:
        decode(bytes(raw), EPOCH, SECRET)
    assert caught.value.violations[0].field == "resume_token"


@pytest.mark.parametrize("raw", [b"x", b"\x02" + bytes(32), bytes(33), bytes(34)])
def test_rubbish_is_refused(raw):
    with pytest.raises(InvalidArgument):
        decode(raw, bytes(8), SECRET)
