"""Rows of bytes are the messages that they stand for, whatever their sizes."""

import numpy as np
import pytest
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.rpc.convert.layout import Layout, sized_number, varint
from hypothesis import given
from hypothesis import strategies as st


@given(value=st.integers(0, 127), size=st.integers(2, 60))
def test_a_number_takes_as_many_bytes_as_it_is_given(value, size):
    encoded = sized_number(pb.Driver, "feature_index", value, size)
    assert len(encoded) == size
    message = pb.Driver.FromString(encoded)
    assert message.feature_index == value
    assert not message.ByteSize() > 2


@given(value=st.integers(0, 2**63), digits=st.integers(1, 10))
def test_a_varint_has_at_least_the_digits_asked_for(value, digits):
    encoded = varint(value, digits)
    assert len(encoded) >= digits
    assert encoded[-1] < 0x80
    assert all(byte >= 0x80 for byte in encoded[:-1])
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded)) == value


@pytest.mark.parametrize("count", [0, 1, 3])
def test_columns_become_fields(count):
    driver = Layout(pb.Driver).varying_field("time_index", "u1").varying_field("value", "<f8")
    heatmap = Layout(pb.Heatmap).floats("values", 4)
    layout = Layout(pb.Explanation).message("heatmap", heatmap).messages("drivers", driver, 2)
    layout.constant(pb.Explanation(samples=7).SerializeToString())
    rows = layout.rows(count)
    rows["heatmap.values"] = np.arange(4 * count).reshape(count, 4)
    rows["drivers"]["time_index"] = np.arange(2 * count).reshape(count, 2)
    rows["drivers"]["value"] = 0.5
    for number, row in enumerate(rows):
        message = pb.Explanation.FromString(row.tobytes())
        assert len(row.tobytes()) == len(layout)
        assert list(message.heatmap.values) == [4 * number + place for place in range(4)]
        assert [(d.time_index, d.value) for d in message.drivers] == [
            (2 * number, 0.5),
            (2 * number + 1, 0.5),
        ]
        assert message.samples == 7
