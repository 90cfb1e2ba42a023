"""Ready windows as a fake server takes them: by the rules of a server."""

import numpy as np
from numpy.typing import NDArray

from glasstape._options import MAX_ITEMS
from glasstape.errors import InvalidRequestError
from glasstape.types.inference import Model
from glasstape.v1 import inference_pb2 as pb


def windows_from(message: pb.Windows, model: Model, path: str) -> NDArray[np.float32]:
    """Return windows (count, time, feature).

    Args:
        message: the windows.
        model: whose shape they must have.
        path: of the message in the request.

    Raises:
        InvalidRequestError: no window, too many, another shape, or a wrong number of bytes.
    """
    shape = (model.time_steps, len(model.features))
    if not 1 <= message.count <= MAX_ITEMS:
        raise InvalidRequestError.field(f"{path}.count", f"must be 1-{MAX_ITEMS}, is {message.count}")
    stated = (message.shape.time, message.shape.features)
    if message.HasField("shape") and stated != shape:
        rule = f"must be {shape}, time x features of {model.ref.name}, is {stated}"
        raise InvalidRequestError.field(f"{path}.shape", rule)
    expected = message.count * shape[0] * shape[1] * 4
    if len(message.data) != expected:
        rule = f"{len(message.data)} bytes, expected count x {shape[0]} x {shape[1]} x 4 = {expected}"
        raise InvalidRequestError.field(f"{path}.data", rule)
    return np.frombuffer(message.data, dtype="<f4").reshape(message.count, *shape)
