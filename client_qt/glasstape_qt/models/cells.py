"""What the cells of the watch table say."""

from datetime import timedelta
from functools import lru_cache
from html import escape

from glasstape import Confidence, DataState, Direction

from glasstape_qt.i18n import language, say
from glasstape_qt.state import exchange
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.rows import Row

ARROWS = {Direction.DOWN: "▼", Direction.FLAT: "■", Direction.UP: "▲"}
"""Never colour alone."""


class Cells:
    """Texts of rows, made once for each change of a row; those of the clock are made anew."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._texts: dict[str, tuple[Row, dict[str, str]]] = {}
        self.market_now = desk.connection.market_now()
        """As the clock last said."""
        self.fresh = True
        """Whether rows are what the server knows now."""

    def forget(self) -> None:
        """Another language is spoken."""
        self._texts.clear()

    def look_at_the_clock(self) -> None:
        """Ages, expiries and fading are of now."""
        connection = self._desk.connection
        self.market_now = connection.market_now()
        self.fresh = connection.fresh or connection.state is LinkState.CONNECTING

    def text(self, row: Row, column: str) -> str:
        """One cell."""
        if column in ("age", "expiry", "market"):
            return self._clocked(row, column)
        known = self._texts.get(row.symbol)
        if known is None or known[0] is not row:
            known = (row, _texts(row))
            self._texts[row.symbol] = known
        return known[1][column]

    def _clocked(self, row: Row, column: str) -> str:
        now = self.market_now
        if column == "age":
            return span(row.age(now))
        if column == "expiry":
            left = row.left(now)
            return say("cell.expired") if left <= timedelta() else span(left)
        if row.old:
            return say("cell.old")
        if row.event.signal.data_state is DataState.REPLAY:
            return say("cell.replay")
        if not self.fresh:
            return say("cell.stale")
        known = self._desk.hours.get(row.instrument.exchange)
        return say(f"phase.{known.phase.value}") if known else ""


def _texts(row: Row) -> dict[str, str]:
    signal, said = row.event.signal, row.event.signal.confidence
    change = signal.change
    limit = exchange.price_limit(row)
    arrow = "" if not change else "▲" if change > 0 else "▼"
    mark = {1: say("cell.limit_up"), -1: say("cell.limit_down"), 0: ""}[limit]
    word = say(f"direction.{said.direction.name.lower()}")
    return {
        "code": row.symbol,
        "name": row.name(language()),
        "price": f"{signal.bar.close:,.{row.decimals()}f}",
        "change": "" if change is None else f"{mark}{' ' if mark else ''}{arrow} {abs(change):.2%}".strip(),
        "confidence": f"{said.down:.0%} · {said.flat:.0%} · {said.up:.0%}",
        "direction": f"{ARROWS[said.direction]} {word}"
        + (f" ({say('cell.abstained')})" if said.abstained else ""),
        "model": f"{row.event.model.name}@{row.event.model.version}",
        "novelty": f"{said.novelty:.0%}",
    }


def row_sentence(row: Row) -> str:
    """Everything about a row in words: its tool tip, and what a screen reader describes."""
    event, signal = row.event, row.event.signal
    said = signal.confidence
    zone = exchange.zone(row.instrument)
    return say(
        "row.sentence",
        name=row.name(language()) or row.symbol,
        **in_percent(said),
        bar=exchange.in_market_time(event.bar_close_time, zone),
        until=exchange.in_market_time(signal.expire_time, zone),
        horizon=signal.horizon_bars,
        model=f"{event.model.name}@{event.model.version}",
        novelty=f"{said.novelty:.0%}",
        abstained=say("row.abstained") if said.abstained else "",
        state=say(f"data.{signal.data_state.value}"),
    ).strip()


def in_percent(said: Confidence) -> dict[str, str]:
    """A confidence for the sentences that name its winner and all three classes."""
    return {
        "direction": say(f"direction.{said.direction.name.lower()}"),
        "winning": f"{said.winning:.1%}",
        "down": f"{said.down:.1%}",
        "flat": f"{said.flat:.1%}",
        "up": f"{said.up:.1%}",
    }


def as_tip(text: str) -> str:
    """Plain text as a tool tip: names come from the server and must not be taken for HTML."""
    return "<qt>" + escape(text).replace("\n", "<br>") + "</qt>"


def span(delta: timedelta) -> str:
    """A length of time, as short as it says enough."""
    return _span(int(delta.total_seconds()), language())


@lru_cache(maxsize=4096)
def _span(seconds: int, _: str) -> str:
    if seconds < 60:
        return say("span.seconds", n=seconds)
    if seconds < 3600:
        return say("span.minutes", n=seconds // 60)
    if seconds < 86_400:
        return say("span.hours", n=seconds // 3600, minutes=seconds % 3600 // 60)
    return say("span.days", n=seconds // 86_400, hours=seconds % 86_400 // 3600)
