from concurrent import futures

import grpc
import numpy as np
import pytest
from glasstape import Client, Heartbeat, NotFoundError, Opened
from grpc import StatusCode
from made_up import daily
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.spans = []

    def Export(self, request, context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()


def test_calls_are_traced_to_a_collector(tmp_path, spawn):
    collector = Collector()
    receiver = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, receiver)
    port = receiver.add_insecure_port("127.0.0.1:0")
    receiver.start()
    server = spawn(tmp_path, "--traces", f"http://127.0.0.1:{port}")
    with Client(server.address) as client:
        client.predict(windows=np.zeros((1, 6, 8), dtype=np.float32))
        assert client.publish_bars(daily("AAA", 3)).stored == 3
        with client.signals(start="live", heartbeat_interval=0.1) as stream:
            messages = stream.messages()
            assert isinstance(next(messages), Opened)
            assert isinstance(next(messages), Heartbeat)
        with pytest.raises(NotFoundError):
            client.predict(model="nobody", windows=np.zeros((1, 6, 8), dtype=np.float32))
    assert server.stop() == 0, "".join(server.log)  # what is left is sent before the end
    receiver.stop(None)
    traced = {span.name.rpartition("/")[2] for span in collector.spans}
    assert traced >= {"Predict", "PublishBars", "Signals"}
    assert StatusCode.NOT_FOUND.value[0] in {
        attribute.value.int_value
        for span in collector.spans
        for attribute in span.attributes
        if attribute.key == "rpc.grpc.status_code"
    }
    assert any("wire: grpcio (native: it cannot trace calls)" in line for line in server.log)
