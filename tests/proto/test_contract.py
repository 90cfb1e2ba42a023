"""The contract's own rules, beyond what buf checks."""

from pathlib import Path

import pytest
from glasstape.types import enums
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from google.protobuf import descriptor_pb2

PROTO = Path(__file__).resolve().parents[2] / "proto"
FILES = (inference_pb2, market_pb2, signals_pb2)


def test_the_services_have_the_designed_methods():
    methods = {
        service.name: [method.name for method in service.methods]
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
    }
    assert methods == {
        "InferenceService": ["Predict", "Explain", "GetModel", "ListModels"],
        "MarketService": ["PublishBars", "ListBars", "ListInstruments"],
        "SignalService": ["Signals", "ListSignals", "GetTrackRecord"],
    }


def test_the_baseline_is_a_descriptor_image_of_this_package():
    image = descriptor_pb2.FileDescriptorSet.FromString((PROTO / "baseline.binpb").read_bytes())
    assert {file.name for file in image.file} >= {
        f"glasstape/v1/{n}.proto" for n in ("inference", "market", "signals")
    }


@pytest.mark.parametrize("name", sorted({e for f in FILES for e in f.DESCRIPTOR.enum_types_by_name}))
def test_every_enum_starts_unspecified_and_the_sdk_has_all_its_members(name):
    wire = next(
        f.DESCRIPTOR.enum_types_by_name[name] for f in FILES if name in f.DESCRIPTOR.enum_types_by_name
    )
    prefix = "".join(f"_{c}" if c.isupper() else c for c in name).upper().lstrip("_") + "_"
    members = [value.name.removeprefix(prefix) for value in wire.values]
    assert members[0] == "UNSPECIFIED"
    assert wire.values[0].number == 0
    ours = [m.name for m in getattr(enums, name) if m.name != "UNSPECIFIED"]
    assert ours == members[1:]
