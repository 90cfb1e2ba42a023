"""A paper book as its readers see it: facts, figures and what they show."""

from dataclasses import dataclass

from glasstape.skill import EDGE_SENTENCES, KOREAN_EDGE_SENTENCES

from glasstape_server.domain.book_figures import BookFigures, Drawdown
from glasstape_server.domain.book_rule import BookRule
from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation.paper_record import PaperRecord
from glasstape_server.market.trading_costs import DatedRate, MarketCosts

NAMED = 5
"""Symbols that are named, at most."""


@dataclass(frozen=True, slots=True)
class PaperBookResult:
    """A paper book with its figures and what it was made of."""

    source: str
    """Whose scores decided."""
    score: str
    rule: BookRule
    costs: MarketCosts
    interval: str
    record: PaperRecord
    figures: BookFigures
    notes: tuple[str, ...] = ()
    """Sentences about scores that were left out or joined."""

    @property
    def sentence(self) -> str:
        """What the intervals show, in English."""
        return EDGE_SENTENCES[self.figures.verdict]

    @property
    def korean(self) -> str:
        """The same in Korean."""
        return KOREAN_EDGE_SENTENCES[self.figures.verdict]

    @property
    def facts(self) -> tuple[str, ...]:
        """Sentences about rule, period, costs and what could not be traded."""
        record, figures, curve = self.record, self.figures, self.record.curve
        period = f"{self._day(int(curve.time[0]))} to {self._day(int(curve.time[-1]))}"
        return (
            f"{_rule_text(self.rule)}; score: {self.score}",
            f"{period}: {figures.days:,} days, {record.closes:,} closes of {self.interval}, {record.symbols:,} symbols",
            f"costs of {self.costs.title}: {self._costs_text()}",
            f"intervals: {figures.level:.4g} of blocks of {figures.block} days",
            *self.notes,
            *(
                [f"{record.unpriced:,} scores without a bar with trades are not used"]
                if record.unpriced
                else ()
            ),
            f"{record.unfilled:,} orders met a close at which they could not be filled, and waited; of these "
            f"{record.at_limit:,} met a price limit",
            self._ended_text(),
        )

    def _ended_text(self) -> str:
        ended = self.record.ended
        if not ended:
            return "no held symbol ended before the others"
        named = ", ".join(ended[:NAMED]) + (", …" if len(ended) > NAMED else "")
        return f"{len(ended):,} held symbols ended before the others, at their last price: {named}"

    def _costs_text(self) -> str:
        first, last = (self.costs.day(int(each)) for each in self.record.curve.time[[0, -1]])
        parts = []
        for name in ("commission", "half_spread", "sell_tax", "borrow", "price_limit"):
            rate: DatedRate = getattr(self.costs, name)
            values = list(
                dict.fromkeys([rate.on(first), *(rate.on(d) for d in rate.dates if first < d <= last)])
            )
            if any(values) and (name != "borrow" or self.rule.short):
                parts.append(
                    f"{name.replace('_', ' ')} {' then '.join(f'{100 * each:.5g}' for each in values)} %"
                )
        return ", ".join(parts) or "none"

    def _day(self, time: int) -> str:
        return self.costs.day(time).isoformat()

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, figure of the book and figure of the benchmark ("" if there is none) of each row."""
        f = self.figures
        per_year = f.days_per_year
        return [
            ("total return", f"{f.total_return:+.2%}", f"{f.benchmark_return:+.2%}"),
            ("mean return, bp a day", _points(f.mean), ""),
            ("mean return, a year", _percent(f.mean, per_year), ""),
            ("mean return before costs, bp a day", _points(f.mean_before_costs), ""),
            ("less benchmark, bp a day", _points(f.excess), ""),
            ("not explained by the benchmark, bp a day", _points(f.alpha), ""),
            ("Sharpe ratio, of a year", _number(f.sharpe), _number(f.benchmark_sharpe)),
            ("volatility, of a year", f"{f.volatility:.2%}", ""),
            ("largest drawdown", self._drawdown(f.drawdown), self._drawdown(f.benchmark_drawdown)),
            ("turnover, of a year", f"{f.turnover:.1f} × equity", ""),
            (
                "costs, of a year",
                f"{f.costs:.2%} (commission {f.commission:.2%}, spread {f.spread:.2%}, tax {f.tax:.2%}, "
                f"borrowing {f.borrow:.2%})",
                "",
            ),
            ("exposure", f"{f.exposure:.1%} (net {f.net_exposure:+.1%})", ""),
            ("open positions", f"{f.positions:.1f}", ""),
            ("positions that gained", f"{_percent(f.hit_rate)} of {f.closed:,}", ""),
        ]

    def _drawdown(self, drawdown: Drawdown) -> str:
        return f"{drawdown.depth:.1%} ({self._day(drawdown.peak)} to {self._day(drawdown.trough)})"


def _rule_text(rule: BookRule) -> str:
    if rule.top is None:
        most = f"at most {rule.max_weight:.4g} of the equity each"
        chosen = f"all symbols with a score of {rule.threshold:g} or more, {most}"
    else:
        least = "" if rule.threshold is None else f" with a score of {rule.threshold:g} or more"
        kept = f", kept up to rank {rule.keep}" if rule.keep else ""
        chosen = f"the best {rule.top:,} symbols{least}{kept}"
    sides = "half of it long, half of it short in the worst likewise" if rule.short else "long only"
    return f"{chosen}, {sides}; a decision at every {f'{rule.every} closes' if rule.every > 1 else 'close'}"


def _points(value: IntervalEstimate | None) -> str:
    if value is None:
        return "–"
    return f"{1e4 * value.value:+.2f} ({1e4 * value.low:+.2f} … {1e4 * value.high:+.2f})"


def _percent(value: IntervalEstimate | None, factor: float = 1.0) -> str:
    if value is None:
        return "–"
    low, middle, high = (factor * each for each in (value.low, value.value, value.high))
    return f"{middle:.1%} ({low:.1%} … {high:.1%})"


def _number(value: IntervalEstimate | None) -> str:
    return "–" if value is None else f"{value.value:.2f} ({value.low:.2f} … {value.high:.2f})"
