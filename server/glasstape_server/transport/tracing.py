"""Traces of every call, sent to an OpenTelemetry collector: the extra `tracing`."""

from typing import Any

from glasstape_server.domain.errors import Unavailable

EXPORT_SECONDS = 3
"""Seconds to wait for a collector that does not answer, also at shutdown."""


def tracer(endpoint: str) -> tuple[Any, Any]:
    """Return an interceptor of a grpc.aio server, and the provider whose `shutdown` sends pending spans.

    Args:
        endpoint: collector of OTLP over gRPC, http://HOST:PORT or https://HOST:PORT.

    Raises:
        Unavailable: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.grpc import _aio_server
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise Unavailable(
            "EXTRA_MISSING", "traces: needs the extra tracing: pip install 'glasstape[tracing]'"
        ) from None
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "glasstape"}))
    exporter = OTLPSpanExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))

    library: Any = _aio_server

    class Interceptor(library.OpenTelemetryAioServerInterceptor):  # type: ignore[misc]  # it has no types
        """Supports streaming handlers that are coroutines, which the library's own does not."""

        def _intercept_aio_server_stream(self, behavior: Any, handler_call_details: Any) -> Any:
            async def stream(request: Any, context: Any) -> None:
                with (
                    self._set_remote_context(context),
                    self._start_span(handler_call_details, context, set_status_on_exception=False) as span,
                ):
                    await behavior(request, library._OpenTelemetryAioServicerContext(context, span))

            return stream

    interceptor: Any = Interceptor
    return interceptor(provider.get_tracer("glasstape")), provider
