from glasstape_server.access.scopes import REQUIRED
from glasstape_server.operations.rpc_type import STREAMING, rpc_type
from glasstape_server.transport import reflection
from glasstape_server.transport.grpcio_server import SERVICES
from google.protobuf import descriptor_pool


def test_kinds_of_rpc_match_the_descriptors():
    kinds = {}
    v1alpha = "grpc.reflection.v1alpha.ServerReflection"
    described = {name: name for name in (*SERVICES, "grpc.health.v1.Health", v1alpha)}
    for name, descriptor in (described | {reflection.SERVICE: v1alpha}).items():
        service = descriptor_pool.Default().FindServiceByName(descriptor)
        for method in service.methods:
            kinds[f"/{name}/{method.name}"] = {
                (False, False): "unary",
                (True, False): "client_stream",
                (False, True): "server_stream",
                (True, True): "bidi_stream",
            }[method.client_streaming, method.server_streaming]
    assert {path: rpc_type(path) for path in kinds} == kinds
    assert set(STREAMING) <= set(kinds)
    assert set(REQUIRED) >= set(kinds)
