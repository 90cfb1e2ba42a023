"""Equity, turnover and costs of a top-k paper book, recomputed from raw predictions with numpy alone."""

import numpy as np


def equity_of(prices, scores, top, every, buy_rate, sell_rate):
    """Equity, buys and sells and costs at each close, (close,) each, from the first close with a score on.

    Args:
        prices: closes of bars with trades, (close, symbol); NaN where a symbol has none.
        scores: (close, symbol); NaN without a prediction. The first row has one, and the last.
        top: symbols that are held, 1 / top of the equity each.
        every: closes between decisions.
        buy_rate: of each close, (close,); likewise sell_rate.
    """
    closes, symbols = prices.shape
    cash, held, orders, known = 1.0, np.zeros(symbols), np.zeros(symbols), np.zeros(symbols)
    equity, traded, costs = np.zeros(closes), np.zeros(closes), np.zeros(closes)
    for t in range(closes):
        has_bar = ~np.isnan(prices[t])
        known[has_bar] = prices[t][has_bar]
        sells = [s for s in range(symbols) if has_bar[s] and orders[s] < 0]
        buys = [s for s in range(symbols) if has_bar[s] and orders[s] > 0]
        for s in sells:
            value = -orders[s] * known[s]
            cash += value * (1 - sell_rate[t])
            traded[t] += value
            costs[t] += value * sell_rate[t]
            held[s] += orders[s]
        wanted = sum(orders[s] * known[s] for s in buys)
        share = min(1.0, cash / (1 + buy_rate[t]) / wanted) if buys else 0.0
        for s in buys:
            value = share * orders[s] * known[s]
            cash -= value * (1 + buy_rate[t])
            traded[t] += value
            costs[t] += value * buy_rate[t]
            held[s] += share * orders[s]
        orders[has_bar] = 0
        equity[t] = cash + held @ known
        if t % every == 0:
            places = top - sum(1 for s in range(symbols) if not has_bar[s] and held[s] + orders[s] > 0)
            candidates = [s for s in range(symbols) if has_bar[s] and not np.isnan(scores[t, s])]
            best = sorted(candidates, key=lambda s: (-scores[t, s], s))[: max(0, places)]
            for s in np.flatnonzero(has_bar):
                orders[s] = (equity[t] / top / known[s] if s in best else 0.0) - held[s]
    return equity, traded, costs
