"""Symbols of Interactive Brokers as contracts, and contracts as instruments."""

from typing import TYPE_CHECKING

from glasstape.sources.errors import UnknownSymbolError
from glasstape.types.market import Instrument

if TYPE_CHECKING:
    from ib_async import Contract, ContractDetails

STOCK, CURRENCY, CRYPTO = "STK", "CASH", "CRYPTO"
"""Security types of Interactive Brokers."""
EXCHANGES = {
    "AEB": "XAMS",
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "ASX": "XASX",
    "BATS": "BATS",
    "BM": "XMAD",
    "BVME": "XMIL",
    "CBOT": "CMES",
    "CME": "CMES",
    "COMEX": "CMES",
    "EBS": "XSWX",
    "ENEXT.BE": "XBRU",
    "FWB": "XFRA",
    "IBIS": "XETR",
    "IBIS2": "XETR",
    "KSE": "XKRX",
    "LSE": "XLON",
    "LSEETF": "XLON",
    "NASDAQ": "XNAS",
    "NSE": "XNSE",
    "NYMEX": "CMES",
    "NYSE": "XNYS",
    "SBF": "XPAR",
    "SEHK": "XHKG",
    "SEHKNTL": "XSHG",
    "SEHKSZSE": "XSHE",
    "SGX": "XSES",
    "TSE": "XTSE",
    "TSEJ": "XTKS",
}
"""ISO 10383 code of each exchange of Interactive Brokers, or of one that keeps its hours."""
_TYPES = {"IDEALPRO": CURRENCY, "PAXOS": CRYPTO, "ZEROHASH": CRYPTO}
"""Security type that each exchange implies."""


def contract_of(symbol: str) -> "Contract":
    """Return the contract of `SYMBOL[:EXCHANGE[:CURRENCY[:TYPE]]]`, by default a US stock on SMART.

    Examples: AAPL, BRK.B, 7203:TSEJ:JPY, EUR.USD:IDEALPRO, BTC.USD:PAXOS, ES:CME:USD:CONTFUT, DAX:EUREX:EUR:IND.

    Raises:
        UnknownSymbolError: the symbol has another form.
    """
    from ib_async import Contract

    name, exchange, currency, kind, *rest = [*symbol.split(":"), "", "", ""][: max(4, symbol.count(":") + 1)]
    if not name or rest:
        raise UnknownSymbolError(symbol, "expected SYMBOL[:EXCHANGE[:CURRENCY[:TYPE]]]")
    kind = kind or _TYPES.get(exchange, STOCK)
    if kind in (CURRENCY, CRYPTO):
        name, _, quoted = name.partition(".")
        currency = currency or quoted
        if not currency:
            raise UnknownSymbolError(symbol, "expected a pair such as EUR.USD:IDEALPRO")
    elif kind == STOCK:
        name = name.replace(".", " ")  # share classes: BRK B
    return Contract(secType=kind, symbol=name, exchange=exchange or "SMART", currency=currency or "USD")


def kind_of(details: "ContractDetails") -> str:
    """Return the security type of a contract."""
    return details.contract.secType if details.contract is not None else ""


def exchange_of(details: "ContractDetails") -> str:
    """Return the ISO 10383 code of a contract's exchange; empty: unknown."""
    contract = details.contract
    if contract is None:
        return ""
    return EXCHANGES.get(contract.primaryExchange or contract.exchange, "")


def instrument_of(symbol: str, details: "ContractDetails") -> Instrument:
    """Return the description of a contract."""
    return Instrument(
        symbol=symbol,
        name=details.longName,
        exchange=exchange_of(details),
        time_zone=details.timeZoneId or "UTC",
        currency=details.contract.currency if details.contract is not None else "",
        tick_size=details.minTick or None,
        sector=details.industry,
        industry=details.category,
    )
