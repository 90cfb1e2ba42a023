"""Codes and time zones of exchanges.

Codes are ISO 10383 (MIC), `24/7` for markets that never close.
"""

from glasstape.calendars import ALWAYS_OPEN, resolved

ZONES: dict[str, str] = {
    ALWAYS_OPEN: "UTC",
    "ASEX": "Europe/Athens", "BVMF": "America/Sao_Paulo", "CMES": "America/Chicago", "IEPA": "America/New_York",
    "XAMS": "Europe/Amsterdam", "XASE": "America/New_York", "XASX": "Australia/Sydney", "XBKK": "Asia/Bangkok",
    "XBOM": "Asia/Kolkata", "XBRU": "Europe/Brussels", "XBUD": "Europe/Budapest", "XCBF": "America/Chicago",
    "XCBT": "America/Chicago", "XCME": "America/Chicago", "XCSE": "Europe/Copenhagen", "XDUB": "Europe/Dublin",
    "XETR": "Europe/Berlin", "XEUR": "Europe/Berlin", "XFRA": "Europe/Berlin", "XHEL": "Europe/Helsinki",
    "XHKG": "Asia/Hong_Kong", "XIDX": "Asia/Jakarta", "XIST": "Europe/Istanbul", "XJSE": "Africa/Johannesburg",
    "XKFE": "Asia/Seoul", "XKLS": "Asia/Kuala_Lumpur", "XKRX": "Asia/Seoul", "XLIS": "Europe/Lisbon",
    "XLON": "Europe/London", "XMAD": "Europe/Madrid", "XMEX": "America/Mexico_City", "XMIL": "Europe/Rome",
    "XNAS": "America/New_York", "XNSE": "Asia/Kolkata", "XNYM": "America/New_York", "XNYS": "America/New_York",
    "XNZE": "Pacific/Auckland", "XOSL": "Europe/Oslo", "XPAR": "Europe/Paris", "XPHS": "Asia/Manila",
    "XPRA": "Europe/Prague", "XSAU": "Asia/Riyadh", "XSES": "Asia/Singapore", "XSHE": "Asia/Shanghai",
    "XSHG": "Asia/Shanghai", "XSTO": "Europe/Stockholm", "XSWX": "Europe/Zurich", "XTAE": "Asia/Tel_Aviv",
    "XTAI": "Asia/Taipei", "XTKS": "Asia/Tokyo", "XTSE": "America/Toronto", "XWAR": "Europe/Warsaw",
    "XWBO": "Europe/Vienna",
}  # fmt: skip
"""IANA time zone of each exchange."""

_NAMES = {
    "XKRX": ("krx", "kospi", "kosdaq", "konex", "유가증권", "유가증권시장", "코스피", "코스닥", "코넥스", "거래소",
             "kospi시장", "kosdaq시장", "kosdaq global", "코스닥 글로벌"),
    "XNAS": ("nasdaq", "나스닥"),
    "XNYS": ("nyse", "뉴욕", "뉴욕증권거래소"),
    "XASE": ("amex", "nyse american", "nyse mkt", "아멕스"),
    "ARCX": ("nyse arca", "arca", "nysearca"),
    "XTKS": ("tse", "jpx", "도쿄"), "XHKG": ("hkex", "sehk", "홍콩"), "XSHG": ("sse", "상해"), "XSHE": ("szse", "심천"),
    "XLON": ("lse", "런던"), "XTSE": ("tsx",), "XASX": ("asx",), "XNSE": ("nse",), "XBOM": ("bse",),
    "XETR": ("xetra",), "XCME": ("cme",), ALWAYS_OPEN: ("crypto", "암호화폐", "가상자산"),
}  # fmt: skip
_CODES = {name: code for code, names in _NAMES.items() for name in names}


def zone_of(exchange: str) -> str:
    """Return the IANA time zone of an exchange; empty: unknown."""
    return ZONES.get(exchange) or ZONES.get(resolved(exchange), "")


def code_of(name: str) -> str:
    """Return the code of an exchange for its usual name, such as "NASDAQ" or "코스피"; other texts as they are."""
    return _CODES.get(" ".join(name.casefold().split()), name)
