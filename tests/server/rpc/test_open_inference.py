"""The Open Inference Protocol facade: what its tables list is served, everything else refused by name."""

import shutil

import grpc
import numpy as np
import pytest
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip import open_inference_pb2_grpc as oip_grpc
from glasstape_server.rpc.oip.table import METHODS, UNSUPPORTED
from glasstape_server.settings import BUNDLED_MODELS

MODEL = "sample-conv1d"
WINDOWS = np.random.default_rng(1).normal(size=(4, 6, 8)).astype("<f4")


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield oip_grpc.GRPCInferenceServiceStub(channel)


def request(windows=WINDOWS, *, raw=True, **fields):
    """Return a ModelInfer request."""
    made = oip.ModelInferRequest(**{"model_name": MODEL, **fields})
    tensor = made.inputs.add(name="windows", datatype="FP32", shape=windows.shape)
    if raw:
        made.raw_input_contents.append(windows.tobytes())
    else:
        tensor.contents.fp32_contents.extend(windows.ravel().tolist())
    return made


def refused(stub, made):
    """Return the message of a request that must be INVALID_ARGUMENT."""
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(made, timeout=20)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value.details()


def test_the_table_lists_every_method():
    methods = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods
    assert list(METHODS) == [method.name for method in methods]


@pytest.mark.parametrize("raw", [True, False])
def test_the_answer_has_the_probabilities_of_predict_in_the_form_of_the_request(stub, market, raw):
    confidences = [prediction.confidence for prediction in market.client.predict(windows=WINDOWS)]
    expected = [[each.down, each.flat, each.up] for each in confidences]
    made = request(raw=raw, id="x")
    for requested in (False, True):
        if requested:
            made.outputs.add(name="confidences")
        answer = stub.ModelInfer(made)
        (output,) = answer.outputs
        assert (answer.id, answer.model_name, answer.model_version) == ("x", MODEL, "1")
        assert (output.name, output.datatype, list(output.shape)) == ("confidences", "FP64", [4, 3])
        if raw:
            (data,) = answer.raw_output_contents
            assert not output.HasField("contents")
            assert np.frombuffer(data).reshape(4, 3).tolist() == expected
        else:
            assert list(answer.raw_output_contents) == []
            assert np.reshape(output.contents.fp64_contents, (4, 3)).tolist() == expected


def test_each_server_and_model_question_is_answered(stub):
    assert stub.ServerLive(oip.ServerLiveRequest()).live
    assert stub.ServerReady(oip.ServerReadyRequest()).ready
    assert stub.ModelReady(oip.ModelReadyRequest(name=MODEL)).ready
    for name, version in (("nope", ""), (MODEL, "9"), (f"{MODEL}@1", "")):
        assert not stub.ModelReady(oip.ModelReadyRequest(name=name, version=version)).ready
    assert list(stub.ServerMetadata(oip.ServerMetadataRequest()).extensions) == [
        "model_configuration", "statistics",
    ]  # fmt: skip
    metadata = stub.ModelMetadata(oip.ModelMetadataRequest(name=MODEL))
    assert (list(metadata.versions), list(metadata.inputs[0].shape)) == (["1"], [-1, 6, 8])
    config = stub.ModelConfig(oip.ModelConfigRequest(name=MODEL, version="1")).config
    assert (config.name, config.max_batch_size) == (MODEL, 16_384)
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [("windows", oip.TYPE_FP32, [6, 8])]
    assert [(o.name, o.data_type, list(o.dims)) for o in config.output] == [
        ("confidences", oip.TYPE_FP64, [3])
    ]
    (entry,) = stub.RepositoryIndex(oip.RepositoryIndexRequest(ready=True)).models
    assert (entry.name, entry.version, entry.state, entry.reason) == (MODEL, "1", "READY", "")


@pytest.mark.parametrize("method", ["ModelReady", "ModelMetadata", "ModelConfig", "ModelInfer"])
def test_a_model_is_named(stub, method):
    kind = getattr(oip, f"{method}Request")
    field = "model_name" if method == "ModelInfer" else "name"
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, method)(kind())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == f"{field}: must be the name of a model, is empty"
    if method != "ModelReady":
        for name in ("nope", f"{MODEL}@1"):
            with pytest.raises(grpc.RpcError) as caught:
                getattr(stub, method)(kind(**{field: name}))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_statistics_count_calls_and_windows_of_each_version(stub):
    def statistics():
        (found,) = stub.ModelStatistics(oip.ModelStatisticsRequest(name=MODEL)).model_stats
        return found

    before = statistics()
    stub.ModelInfer(request())
    refused(stub, request(parameters={"foo": oip.InferParameter(int64_param=1)}))
    after = statistics()
    assert (after.name, after.version) == (MODEL, "1")
    assert after.inference_count == before.inference_count + 4
    assert after.execution_count == before.execution_count + 1
    assert after.inference_stats.fail.count == before.inference_stats.fail.count + 1
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        earlier, later = (getattr(each.inference_stats, name) for each in (before, after))
        assert later.count == earlier.count + 1
    assert after.inference_stats.success.ns > before.inference_stats.success.ns
    assert after.last_inference > 1_700_000_000_000
    assert len(stub.ModelStatistics(oip.ModelStatisticsRequest()).model_stats) == 1
    for wrong, code in (({"name": "nope"}, "NOT_FOUND"), ({"version": "1"}, "INVALID_ARGUMENT")):
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelStatistics(oip.ModelStatisticsRequest(**wrong))
        assert caught.value.code().name == code


def test_another_repository_is_refused(stub):
    with pytest.raises(grpc.RpcError, match="repository_name: must be empty"):
        stub.RepositoryIndex(oip.RepositoryIndexRequest(repository_name="other"))


def test_the_index_has_versions_that_do_not_serve(tmp_path, spawn):
    shutil.copytree(BUNDLED_MODELS, tmp_path / "models")
    (tmp_path / "models" / MODEL / "2").mkdir()
    server = spawn(tmp_path / "data", "--models-dir", str(tmp_path / "models"))
    with grpc.insecure_channel(server.address) as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        every, ready = (
            stub.RepositoryIndex(oip.RepositoryIndexRequest(ready=r)).models for r in (False, True)
        )
    assert [(m.version, m.state, m.reason) for m in every] == [
        ("1", "READY", ""),
        ("2", "UNAVAILABLE", "manifest.json: missing"),
    ]
    assert [m.version for m in ready] == ["1"]


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, names in UNSUPPORTED.items() for name in (*names, "foo")]
)
@pytest.mark.parametrize("value", [oip.InferParameter(int64_param=0), oip.InferParameter(string_param="x")])
def test_parameters_outside_the_table_are_refused_by_name(stub, place, name, value):
    made = request()
    holders = {"parameters": made, "inputs[0].parameters": made.inputs[0]}
    holder = holders[place] if place in holders else made.outputs.add(name="confidences")
    holder.parameters[name].CopyFrom(value)
    supported = "timeout, triton_enable_empty_final_response" if place == "parameters" else "none"
    assert refused(stub, made) == f"{place}[{name!r}]: is not supported; supported: {supported}"


def test_a_timeout_ends_the_call(stub):
    made = request()
    made.parameters["timeout"].int64_param = 20_000_000
    assert stub.ModelInfer(made).outputs
    made.parameters["timeout"].int64_param = 0
    assert stub.ModelInfer(made).outputs
    made.parameters["timeout"].int64_param = 1
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(made)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    made.parameters["timeout"].int64_param = -1
    assert refused(stub, made) == "parameters['timeout']: must be at least 0 microseconds, is -1"
    made.parameters["timeout"].string_param = "5"
    assert refused(stub, made) == "parameters['timeout']: must be of type int64_param, is string_param"


def test_the_parameter_of_the_load_generator_changes_nothing(stub):
    made = request()
    expected = stub.ModelInfer(made)
    made.parameters["triton_enable_empty_final_response"].bool_param = True
    assert stub.ModelInfer(made) == expected


def test_outputs_outside_the_table_are_refused_by_name(stub):
    made = request()
    made.outputs.add(name="probs")
    assert refused(stub, made) == "outputs[0].name: must be 'confidences', is 'probs'"
    made.outputs[0].name = "confidences"
    made.outputs.add(name="confidences")
    assert refused(stub, made) == "outputs[1].name: 'confidences' is requested twice"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "x"}, "inputs: must be one tensor named 'windows', are ['x']"),
        ({"name": "x" * 50_000}, f"inputs: must be one tensor named 'windows', are ['{'x' * 48}']"),
        ({"datatype": "FP64"}, "inputs[0].datatype: must be FP32, is 'FP64'"),
        ({"shape": [1, 8, 6]}, "inputs[0].shape: must be [n, 6, 8], is [1, 8, 6]"),
        ({"shape": [-1, 6, 8]}, "inputs[0].shape: must be [n, 6, 8], is [-1, 6, 8]"),
        ({"shape": [0, 6, 8]}, "inputs[0].shape[0]: must be 1-16384, is 0"),
        ({"shape": [1 << 32, 6, 8]}, "inputs[0].shape[0]: at most 16384 in a call, is 4294967296"),
        (
            {"shape": [(1 << 63) - 1, 6, 8]},
            f"inputs[0].shape[0]: at most 16384 in a call, is {(1 << 63) - 1}",
        ),
        ({"shape": [2, 6, 8]}, "raw_input_contents[0]: 768 bytes, expected 2 x 6 x 8 x 4 = 384"),
    ],
)
def test_an_input_of_another_name_type_or_shape_is_refused(stub, change, text):
    made = request()
    tensor = {"name": "windows", "datatype": "FP32", "shape": [4, 6, 8], **change}
    made.inputs[0].CopyFrom(oip.ModelInferRequest.InferInputTensor(**tensor))
    assert refused(stub, made) == text


def test_contents_must_be_one_form_of_one_tensor(stub):
    surplus = request()
    surplus.raw_input_contents.append(b"surplus")
    assert refused(stub, surplus) == "raw_input_contents: must be one, for 'windows', are 2"
    both = request(raw=False)
    both.raw_input_contents.append(WINDOWS.tobytes())
    rule = "inputs[0]: must come as raw_input_contents or fp32_contents, "
    assert refused(stub, both) == rule + "both are set"
    neither = request()
    neither.ClearField("raw_input_contents")
    assert refused(stub, neither) == rule + "neither is set"
    short = request(raw=False)
    del short.inputs[0].contents.fp32_contents[-1]
    expected = "inputs[0].contents.fp32_contents: 191 values, expected 4 x 6 x 8 = 192"
    assert refused(stub, short) == expected
    foreign = request(raw=False)
    foreign.inputs[0].contents.int_contents.append(1)
    expected = "inputs[0].contents.int_contents: must be empty: FP32 values are in fp32_contents"
    assert refused(stub, foreign) == expected
    second = request()
    second.inputs.add(name="windows")
    assert "must be one tensor" in refused(stub, second)


def test_one_bad_window_fails_the_call(stub):
    bad = WINDOWS.copy()
    bad[2, 0, 0] = np.nan
    for raw in (True, False):
        assert "must be finite" in refused(stub, request(bad, raw=raw))
