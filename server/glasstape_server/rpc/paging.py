"""Page sizes, the same for every list."""

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE


def page_size(asked: int) -> int:
    """The page size of a request; 0 means the default.

    Raises:
        InvalidArgument: above the largest.
    """
    if asked > MAX_PAGE_SIZE:
        raise InvalidArgument.field("page_size", f"must be 0-{MAX_PAGE_SIZE}, is {asked}")
    return asked or DEFAULT_PAGE_SIZE
