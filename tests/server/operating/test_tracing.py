from concurrent import futures

import grpc
import numpy as np
from glasstape import Client
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
    assert server.stop() == 0, "".join(server.log)  # what is left is sent before the end
    receiver.stop(None)
    assert "/glasstape.v1.InferenceService/Predict" in {span.name for span in collector.spans}
    assert any("wire: grpcio (it cannot trace calls)" in line for line in server.log)
