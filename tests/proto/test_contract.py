"""The contract's own rules, beyond what buf checks."""

from pathlib import Path

import glasstape
import pytest
from glasstape.v1 import errors_pb2, inference_pb2, market_pb2, signals_pb2
from google.protobuf import descriptor_pb2

PROTO = Path(__file__).resolve().parents[2] / "proto"
FILES = (errors_pb2, inference_pb2, market_pb2, signals_pb2)
NOT_IN_THE_SDK = {"Include"}  # of which the SDK has a set of names
ENUMS = {
    enum.name: enum
    for file in FILES
    for scope in (
        file.DESCRIPTOR.enum_types_by_name,
        *(m.enum_types_by_name for m in file.DESCRIPTOR.message_types_by_name.values()),
    )
    for enum in scope.values()
}
"""Every enum of the contract, nested ones too."""


def test_the_services_have_the_designed_methods():
    methods = {
        service.name: [method.name for method in service.methods]
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
    }
    assert methods == {
        "InferenceService": [
            "Predict",
            "Explain",
            "GetImportance",
            "GetModel",
            "ListModels",
            "GetServerInfo",
        ],
        "MarketService": [
            "PublishBars",
            "StreamBars",
            "ListBars",
            "ListInstruments",
            "ListSeries",
            "RemoveBars",
            "RenameSymbol",
            "ListCorrections",
        ],
        "SignalService": ["Signals", "ListSignals", "GetTrackRecord"],
    }


def test_the_baseline_is_a_descriptor_image_of_this_package():
    image = descriptor_pb2.FileDescriptorSet.FromString((PROTO / "baseline.binpb").read_bytes())
    assert {file.name for file in image.file} >= {
        f"glasstape/v1/{n}.proto" for n in ("inference", "market", "signals")
    }


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_every_enum_starts_unspecified_and_its_values_carry_its_name(name):
    prefix = "".join(f"_{c}" if c.isupper() else c for c in name).upper().lstrip("_") + "_"
    assert all(value.name.startswith(prefix) for value in ENUMS[name].values)
    assert ENUMS[name].values[0].name == f"{prefix}UNSPECIFIED"
    assert ENUMS[name].values[0].number == 0


@pytest.mark.parametrize("name", sorted(set(ENUMS) - NOT_IN_THE_SDK))
def test_the_sdk_has_all_members_of_every_enum(name):
    prefix = "".join(f"_{c}" if c.isupper() else c for c in name).upper().lstrip("_") + "_"
    members = [value.name.removeprefix(prefix) for value in ENUMS[name].values]
    ours = [m.name for m in getattr(glasstape, name) if m.name != "UNSPECIFIED"]
    assert ours == members[1:]
