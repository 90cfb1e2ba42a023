"""Limits of the contract: what a caller may send at once, and the ranges of values. Stated in the .proto files, too."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes of a message, either way."""
MAX_RECEIVED_BYTES = 2 * MAX_MESSAGE_BYTES
"""Bytes of a message, inflated, beyond which a wire ends the call itself. Larger than `MAX_MESSAGE_BYTES`, so that most
oversized messages get a typed error."""
MAX_METADATA_BYTES = 8 * 1024
"""Bytes of a call's metadata: keys, values and 32 bytes an entry."""
MAX_HEADER_BYTES = 64 * 1024
"""Bytes of a call's HTTP/2 headers, beyond which a wire ends the call itself. Larger than `MAX_METADATA_BYTES`, so that
most oversized metadata gets a typed error."""
MAX_STREAMS = 1_024
"""Calls in progress on one connection, which all clients of a process share."""

MAX_ITEMS = 16_384
"""Windows, series, symbols or signals of a Predict or Explain call."""
MAX_SERIES_BARS = 4096
"""Bars of one series of a call."""
MAX_CALL_BARS = 300_000
"""Bars of all series of a call: as many as fit into a message if each has its prices."""
MAX_FEATURE = 1e6
"""Largest absolute value of a feature; larger ones would overflow."""
MAX_BACKGROUND_WINDOWS = 256
"""Background windows of an Explain call."""
MAX_SEED = (1 << 63) - 1
"""Largest seed that torch takes."""

MAX_BATCH_BARS = 16_384
"""Bars of one batch to store."""
MAX_BATCH_INSTRUMENTS = 16_384
"""Instruments of one batch."""
MAX_WAITING_BARS = 131_072
"""Bars that may wait to be stored."""
MAX_REJECTIONS = 1000
"""Reasons for rejected bars in one answer: a batch of invalid bars must not outgrow a message."""
MAX_TIME = 4_102_444_800_000_000
"""Close times end with the year 2099, in microseconds since 1970."""
MIN_PRICE, MAX_PRICE = 1e-12, 1e18
"""Prices beyond these are typing errors, and would overflow in the features. `MAX_PRICE` bounds volumes, too."""
MAX_TICK = 1e9
"""Largest tick size, in the instrument's currency."""
MAX_PRICE_DECIMALS = 12
"""Decimals of a price."""
MAX_TEXT = {"name": 128, "local_name": 128, "exchange": 128, "currency": 128, "sector": 64, "industry": 64}
"""Characters of an instrument's texts."""

MAX_SYMBOLS = 10_000
"""Symbols of a subscription's filter."""
MAX_TOKEN_BYTES = 1024
"""Bytes of a resume token."""
MAX_SEQUENCE = (1 << 63) - 1
"""Largest sequence that the journal can hold."""
MAX_COST = 0.1
"""Largest trading cost of a track record, as a share of the price."""

DEFAULT_PAGE_SIZE = 1000
"""Items per page of a list, if none is asked for."""
MAX_PAGE_SIZE = 10_000
"""Items per page of a list."""
