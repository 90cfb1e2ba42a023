"""Traces of every call, sent to an OpenTelemetry collector: the extra `tracing`."""

from typing import Any

from glasstape_server.errors import Unavailable


def tracer(endpoint: str) -> tuple[Any, Any]:
    """An interceptor of a grpc.aio server, and the provider whose `shutdown` sends what is left.

    Args:
        endpoint: of a collector that takes OTLP over gRPC, http://HOST:PORT or https://HOST:PORT.

    Raises:
        Unavailable: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.grpc import aio_server_interceptor
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise Unavailable(
            "EXTRA_MISSING", "traces: needs the extra tracing: pip install 'glasstape[tracing]'"
        ) from None
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "glasstape"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    interceptor: Any = aio_server_interceptor  # it has no types
    return interceptor(tracer_provider=provider), provider
