"""Server reflection, as `grpc.reflection.v1` and as its older name `grpc.reflection.v1alpha`.

grpcio-reflection serves v1alpha alone. The two differ in nothing but the package's name, so that v1 is served by
the same servicer and the same messages.
"""

from collections.abc import Sequence

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1 = "grpc.reflection.v1"
SERVICE = f"{V1}.ServerReflection"
METHOD = "ServerReflectionInfo"


def enable_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Serve reflection of services, by full name, and of reflection itself."""
    _describe_v1()
    names = (*services, SERVICE, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    servicer = reflection.aio.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))


def _describe_v1() -> None:
    """Add the description of v1 to the pool in which reflection looks services up."""
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    old = file.package
    file.name, file.package = "grpc/reflection/v1/reflection.proto", V1
    for message in file.message_type:
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = field.type_name.replace(old, V1)
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(old, V1)
            method.output_type = method.output_type.replace(old, V1)
    pool.AddSerializedFile(file.SerializeToString())  # the same file again is accepted
