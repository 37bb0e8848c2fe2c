"""Measure how often every interval of the checks holds the truth: by enumeration where all samples can be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.non_inferiority import Counts, least_loss
from overproof.checks.own_data.distance import distance_within
from overproof.checks.stats import (
    Interval,
    Resampling,
    Units,
    bootstrap,
    clopper_pearson,
    difference_within,
    lower_bound,
    share_within,
    tango,
    tango_p,
    upper_bound,
    wilson,
)
from overproof.checks.stats.units import mean_bound

Reals = NDArray[np.float64]
SIDE = 0.975  # with which each end of a 95 % interval holds alone
SIZES = range(1, 201)
RATES = np.linspace(0.001, 0.999, 999)
BESIDE = 1e-9  # just beyond an end is where it is missed most often
DISCORDANT = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)  # rates at which one model alone is right
PARTS = (0.1, 0.25, 0.5, 0.75, 0.9)  # what of a unit is lost that is lost in part
MIRRORED, SMALL = (0.25, 0.5, 0.75), (*range(1, 16), 20, 30)
SHARES = (0.0, 0.02, 0.1, 0.3, 0.6, 0.9, 0.98)
GAINS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)
BUDGET, LIMITS = 0.05, (0.005, 0.05)  # default limits of the gates that are decided by Wilson and by Tango
FEW, LIMITED = range(1, 50), (*range(50, 601), *range(625, 5001, 25))
MEANS, TOGETHER = (1, 2, 5, 20, 100), (1.0, 0.5, 0.0)
SIMULATED, MIXED, REDRAWN, DRAWN = 2000, 200, 400, (50, 100, 200)
WORKERS = 2
Bounds = Callable[[int, int], tuple[float, float]]
Found = dict[str, Any]

INTERVALS: dict[str, Bounds] = {
    "Clopper-Pearson, 95 %": lambda k, n: _ends(clopper_pearson(k, n)),
    "Wilson, 95 %": lambda k, n: _ends(wilson(k, n)),
    "upper bound, one-sided 95 %": lambda k, n: (0.0, upper_bound(k, n)),
    "lower bound, one-sided 95 %": lambda k, n: (lower_bound(k, n), 1.0),
}


def proportions(sizes: Iterable[int] = SIZES) -> list[Found]:
    """Enumerate every interval of one proportion: all k of each n, at 999 rates and just beside all ends."""
    return [{"interval": name, **_over(_proportion(bounds, n) for n in sizes)} for name, bounds in INTERVALS.items()]


def _proportion(bounds: Bounds, n: int) -> tuple[Reals, Reals]:
    """Return how often the truth lies above the interval and how often below it, for each rate."""
    from scipy.stats import binom

    low, high = np.array([bounds(k, n) for k in range(n + 1)]).T
    rates = np.concatenate([RATES, np.clip(high + BESIDE, 0, 1), np.clip(low - BESIDE, 0, 1)])[:, None]
    weight = binom.pmf(np.arange(n + 1), n, rates)
    return (weight * (rates > high)).sum(axis=1), (weight * (rates < low)).sum(axis=1)


def paired(size: int) -> tuple[Reals, Reals, Reals]:
    """Enumerate Tango's interval: all (b, c) of n pairs, at a grid of rates with no more gained than lost.

    (c, b) mirrors (b, c), so that rates with more gained would tell the same of the other end.

    Returns
    -------
    above, below, failed
        How often the loss lies above the interval, how often below it, and how often below the bound by which gates
        fail, for each pair of rates.
    """
    tables = np.array([(b, c) for b in range(size + 1) for c in range(size + 1 - b)])
    half = {(b, c): _ends(tango(b, c, size)) for b, c in tables.tolist() if b >= c}
    low, high = np.array([half[b, c] if b >= c else [-end for end in half[c, b][::-1]] for b, c in tables.tolist()]).T
    least = np.array([least_loss(Counts(size, b, c), SIDE) for b, c in tables.tolist()])
    rates = [(p, q) for p in DISCORDANT for q in DISCORDANT if q <= p and p + q <= 0.8]
    weights = np.array([_trinomial(tables, size, p, q) for p, q in rates])
    loss = np.array([p - q for p, q in rates])[:, None]
    above, below, failed = ((weights * beyond).sum(axis=1) for beyond in (high < loss, low > loss, least > loss))
    return above, below, failed


def partly_lost(size: int) -> Found:
    """Enumerate exact bounds of n units that are lost not at all, in part or wholly, by their sum: a real-valued count.

    All parts of `PARTS` and all skewed shares of `SHARES`. So the guarantee of the escalation counts.
    """
    worst = {"above": 0.0, "below": 0.0}
    for part in PARTS:
        tables, rates = _parts(size)
        lost = np.minimum(tables @ np.array([part, 1.0]), size).tolist()
        high, low = (np.array([bound(k, size, SIDE) for k in lost]) for bound in (upper_bound, lower_bound))
        for p, q in rates:
            weight, truth = _trinomial(tables, size, p, q), part * p + q
            worst["above"] = max(worst["above"], float(weight[high < truth - BESIDE].sum()))
            worst["below"] = max(worst["below"], float(weight[low > truth + BESIDE].sum()))
    return {"n": size, **worst}


def mean_bounded(size: int) -> Found:
    """Enumerate Gaffke's bound of the same units; that from below is its mirror."""
    worst = 0.0
    for part in MIRRORED:
        tables, rates = _parts(size)
        rows = [np.repeat([0.0, part, 1.0], [size - i - j, i, j]) for i, j in tables.tolist()]
        high = np.array([mean_bound(row, SIDE, least=0.0) for row in rows])
        errs = [_trinomial(tables, size, p, q)[high < part * p + q - BESIDE].sum() for p, q in rates]
        worst = max(worst, float(max(errs)))
    return {"n": size, "above": worst}


def _parts(size: int) -> tuple[NDArray[np.intp], list[tuple[float, float]]]:
    """Return all counts of units that are lost in part and wholly, and the rates of these."""
    tables = np.array([(part, whole) for part in range(size + 1) for whole in range(size + 1 - part)])
    return tables, [(p, q) for p in SHARES for q in SHARES if p > 0 and p + q <= 1]


def passed_by_wilson(sizes: Sequence[int] = LIMITED) -> Found:
    """Find the size at which a share that sits at the budget's limit passes most often: nominally 2.5 %."""
    from scipy.stats import binom

    passing = [most(lambda k, n=n: wilson(k, n).high <= BUDGET, n) for n in sizes]  # type: ignore[misc]
    return _worst([(float(binom.cdf(k, n, BUDGET)), {"n": n}) for k, n in zip(passing, sizes, strict=True)])


def passed_by_tango(sizes: Sequence[int] = LIMITED) -> Found:
    """Find where a net loss that sits at a gate's limit passes most often, whatever is gained: nominally 2.5 %."""
    found = [
        (_passed(n, limit, gain), {"n": n, "limit": limit, "gain": gain})
        for limit in LIMITS
        for gain in GAINS
        for n in sizes
    ]
    return _worst(found)


def _passed(n: int, limit: float, gain: float) -> float:
    """Return how often the upper end of n pairs lies at or below the limit, which is what is lost."""
    from scipy.stats import binom

    gained = np.arange(int(binom.ppf(1 - 1e-9, n, gain)) + 1)
    least = [most(lambda b, c=c: tango_p(b, c, n, limit) <= 1 - SIDE, n - c) for c in gained.tolist()]  # type: ignore[misc]
    share = (limit + gain) / (1 - gain)
    return float((binom.pmf(gained, n, gain) * binom.cdf(least, n - gained, share)).sum())


def campaigns(mean: float, together: float, paired: bool, runs: int, seed: int = 0) -> Found:
    """Simulate shares and differences of events that come in campaigns of geometric sizes, 40 to 200 of them.

    Parameters
    ----------
    mean
        Events of a campaign, on average.
    together
        Share of the campaigns whose events are all judged alike; in the others each is judged by itself.
    paired
        Whether a difference is bounded, of 10 % lost and 5 % gained, or a share of 5 %.
    """
    random = np.random.default_rng([seed, round(100 * mean), round(100 * together), paired])
    above = below = 0
    for _ in range(runs):
        sizes = random.geometric(1 / mean, int(random.integers(40, 201)))
        unit = np.repeat(np.arange(len(sizes)), sizes)
        draw = np.where(
            random.random(len(sizes))[unit] < together, random.random(len(sizes))[unit], random.random(len(unit))
        )
        units = Units(len(unit), (unit,))
        if paired:
            interval, truth = difference_within((draw < 0.1).astype(np.int8) - (draw > 0.95), units), 0.05
        else:
            interval, truth = share_within(draw < 0.05, units), 0.05
        above += interval.high < truth
        below += interval.low > truth
    return {"mean": mean, "together": together, "paired": paired, "runs": runs, "above": above, "below": below}


def redrawn(size: int, runs: int, seed: int = 0) -> list[Found]:
    """Simulate the intervals that are drawn again: a mean's own, and that of the distance of two samples."""
    random = np.random.default_rng([seed, size])
    mean = {"above": 0, "below": 0}
    apart = {"above": 0, "below": 0}
    for run in range(runs):
        values = random.exponential(size=size)
        plain = bootstrap(lambda rows: float(values[rows].mean()), Resampling(np.zeros(size), draws=300, seed=run))  # noqa: B023
        mean["above"], mean["below"] = mean["above"] + (plain.high < 1), mean["below"] + (plain.low > 1)
        shifted = distance_within(random.random(size), random.random(size) * 0.8, True, None, run)
        apart["above"], apart["below"] = apart["above"] + (shifted.high < 0.2), apart["below"] + (shifted.low > 0.2)
    return [
        {"figure": "a mean, skewed (percentile bootstrap)", "n": size, "runs": runs, **mean},
        {"figure": "the distance of two samples (the wider of two bootstraps)", "n": size, "runs": runs, **apart},
    ]


def measured() -> Found:
    """Measure all of it, in some six minutes on two cores."""
    with ProcessPoolExecutor(WORKERS) as pool:
        return {
            "proportions": proportions(),
            "paired": [{"n": n, **_pair(rates)} for n, rates in zip(SIZES, pool.map(paired, SIZES), strict=True)],
            "partly_lost": list(pool.map(partly_lost, SIZES)),
            "mean_bounded": list(pool.map(mean_bounded, reversed(SMALL))),
            "passed": [
                {"gate": "Passed by Wilson, limit 5 %", **passed_by_wilson(LIMITED)},
                {"gate": "Passed by Tango, limits 0.5 and 5 %, 1 to 49 pairs", **passed_by_tango(FEW)},
                {"gate": "Passed by Tango, limits 0.5 and 5 %, 50 to 5,000 pairs", **passed_by_tango(LIMITED)},
            ],
            "campaigns": list(
                pool.map(_campaigns, [(m, t, p) for p in (False, True) for m in MEANS for t in TOGETHER])
            ),
            "redrawn": [row for rows in pool.map(partial(redrawn, runs=REDRAWN), DRAWN) for row in rows],
        }


def _campaigns(setting: tuple[float, float, bool]) -> Found:
    mean, together, _ = setting
    return campaigns(*setting, runs=SIMULATED if together == 1 or mean == 1 else MIXED)


def _pair(found: tuple[Reals, Reals, Reals]) -> Found:
    above, below, failed = found
    return {**_over([(above, below)]), "failed": float(failed.max())}


def _over(found: Iterable[tuple[Reals, Reals]]) -> Found:
    """Sum up how often the truth lies beyond either end, over sizes and rates."""
    above, below = zip(*found, strict=True)
    both = [high + low for high, low in zip(above, below, strict=True)]
    return {
        "above": float(max(part.max() for part in above)),
        "below": float(max(part.max() for part in below)),
        "worst": float(max(part.max() for part in both)),
        "mean": float(np.mean([part.mean() for part in both])),
    }


def _trinomial(tables: NDArray[np.intp], n: int, p: float, q: float) -> Reals:
    """Return the probability of each row of two counts out of n, whose rates are p and q."""
    from scipy.special import gammaln, xlogy

    i, j = tables.T
    k, rest = n - i - j, max(0.0, 1 - p - q)
    ways = gammaln(n + 1) - gammaln(i + 1) - gammaln(j + 1) - gammaln(k + 1)
    return np.asarray(np.exp(ways + xlogy(i, p) + xlogy(j, q) + xlogy(k, rest)))


def most(passes: Callable[[int], bool], n: int) -> int:
    """Find the greatest count up to n that passes, where all smaller ones do; -1 for none."""
    low, high = -1, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passes(middle) else (low, middle - 1)
    return low


def _worst(found: Sequence[tuple[float, Found]]) -> Found:
    share, where = max(found, key=lambda part: part[0])
    return {"share": share, **where}


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def to_markdown(found: Found) -> str:
    """Write what was enumerated, and what was simulated."""
    head = [
        "| interval | samples | the truth lies above it | below it | nominal |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    every = "n = 1 to 200, every rate"
    one = [_row((row["interval"], every), row["above"], row["below"], _nominal(row)) for row in found["proportions"]]
    two = [
        row
        for low, high in ((1, 49), (50, 200))
        for row in _paired_rows(f"n = {low} to {high}, every (b, c)", found["paired"][low - 1 : high])
    ]
    above, below = (max(row[side] for row in found["partly_lost"]) for side in ("above", "below"))
    gaffke, sizes = max(row["above"] for row in found["mean_bounded"]), f"n = 1 to {max(SMALL)}, every mixture"
    three = [
        _row(("Clopper-Pearson, units lost in part, by their sum", "n = 1 to 200, every sum"), above, below, 0.025),
        _row(("Gaffke, units lost in part", sizes), gaffke, gaffke, 0.025),
    ]
    passed = [_passed_line(row) for row in found["passed"]]
    return "\n".join([*head, *one, *two, *three, "", *passed, "", *_simulated(found)])


def _paired_rows(samples: str, rows: Sequence[Found]) -> list[str]:
    above, below, failed = (max(row[side] for row in rows) for side in ("above", "below", "failed"))
    return [
        _row(("Tango, 95 %, of a net loss", samples), above, below, 0.025),
        _row(("the bound by which a net loss fails", samples), None, failed, 0.025),
    ]


def _row(names: tuple[str, str], above: float | None, below: float | None, nominal: float) -> str:
    over, under = ("" if worst is None else f"{worst:.2%}" for worst in (above, below))
    return f"| {names[0]} | {names[1]} | {over} | {under} | {nominal:.1%} |"


def _nominal(row: Found) -> float:
    return 0.05 if "one-sided" in row["interval"] else 0.025


def _passed_line(row: Found) -> str:
    where = f"n = {row['n']:,}" + (f", {row['gain']:.0%} gained, limit {row['limit']:.1%}" if "gain" in row else "")
    return (
        f"- {row['gate']}: a truth that is the limit itself passes in {row['share']:.2%} of samples at most ({where})."
    )


def _simulated(found: Found) -> list[str]:
    """Write a row for each kind of campaigns, and one for each interval that is drawn again."""
    sizes = " | ".join(f"{mean} on average" for mean in MEANS)
    lines = [f"| simulated: the truth lies above / below | {sizes} |", "| --- |" + " ---: |" * len(MEANS)]
    for paired in (False, True):
        for together, alike in ((1.0, "all alike"), (0.5, "alike in half of them"), (0.0, "each judged by itself")):
            rows = [row for row in found["campaigns"] if (row["paired"], row["together"]) == (paired, together)]
            cells = " | ".join(f"{_of(row, 'above')} / {_of(row, 'below')}" for row in rows)
            lines.append(f"| {'a net loss' if paired else 'a share'}, events of a campaign {alike} | {cells} |")
    lines += ["", "| drawn again | runs | the truth lies above it | below it |", "| --- | ---: | ---: | ---: |"]
    return [*lines, *(_counts(f"{row['figure']}, n = {row['n']}", row) for row in found["redrawn"])]


def _of(row: Found, side: str) -> str:
    return f"{row[side] / row['runs']:.1%}"


def _counts(name: str, row: Found) -> str:
    above, below = (clopper_pearson(row[side], row["runs"]) for side in ("above", "below"))
    return f"| {name} | {row['runs']:,} | {within(above)} | {within(below)} |"


def within(share: Interval) -> str:
    """Write a share with its exact interval."""
    return f"{share.value:.2%} ({share.low:.2%} … {share.high:.2%})"
