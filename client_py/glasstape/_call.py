"""One call of the contract, independent of how it is sent."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from glasstape._convert.common import checking
from glasstape.errors import InvalidRequestError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call, independent of how it is sent."""

    path: str
    request: Any
    response: Any
    """Class of the answer."""
    decode: Callable[[Any], T]
    """Convert the answer."""

    def value(self, answer: Any) -> T:
        """Return the value of an answer.

        Raises:
            DataLossError: the answer holds values that the contract does not allow.
        """
        with checking("the answer"):
            return self.decode(answer)


def checked(build: Callable[P, R]) -> Callable[P, R]:
    """Turn errors about the type of an argument into InvalidRequestError."""

    @functools.wraps(build)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return build(*args, **kwargs)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidRequestError.field("arguments", str(error)) from error

    return wrapper
