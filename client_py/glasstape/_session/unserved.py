"""The methods that a recorded session does not serve."""

from typing import Any

import grpc


class UnservedMethods:
    """Methods that fail with UNIMPLEMENTED, by what they would need."""

    def Predict(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording does not predict")

    def GetImportance(self, request: Any, context: Any) -> None:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "a recording has no model that could explain further windows"
        )

    def PublishBars(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording accepts no bars")

    def StreamBars(self, requests: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording accepts no bars")

    def ListSeries(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording has bars of its events alone")

    def RemoveBars(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording accepts no corrections")

    def RenameSymbol(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording accepts no corrections")

    def ListCorrections(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "a recording has no corrections")
