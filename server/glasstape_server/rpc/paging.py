"""Page sizes, the same for every list."""

from glasstape_server.domain.errors import InvalidArgument

DEFAULT_PAGE = 1000
LARGEST_PAGE = 10_000


def page_size(asked: int) -> int:
    """The page size of a request; 0 means the default.

    Raises:
        InvalidArgument: above the largest.
    """
    if asked > LARGEST_PAGE:
        raise InvalidArgument.field("page_size", f"must be 0-{LARGEST_PAGE}, is {asked}")
    return asked or DEFAULT_PAGE
