"""Count how often the guards of a quantization are held where they should not be, and how many events they need."""

from __future__ import annotations

from typing import Any

import numpy as np
from interval_coverage import most, within
from numpy.typing import NDArray

from overproof.checks.stats import Units, clopper_pearson
from overproof.quantization.guards import Guards, needed
from overproof.results.divergence import Changes
from overproof.results.precision_search import HELD

LIMITS, TIMES = (0.002, 0.01, 0.05), (1.0, 1.5)
RATES, OFTEN, STEP = (0.0, 0.1, 0.25), 0.9, 1.05
SIMULATED, CAMPAIGNS, RUNS, KL = (500, 2000, 10_000), (2, 20), 1000, 0.01
FAMILY = "sqli"
Found = dict[str, Any]


def shares() -> list[Found]:
    """Enumerate guards of shares: how often one too great is held at worst, how many events a small one needs."""
    found = []
    for limit in LIMITS:
        sizes = _sizes(limit)
        passing = np.array([most(lambda k, n=n: _held(limit, k, n), n) for n in sizes])  # type: ignore[misc]  # noqa: B023
        worst = {str(times): float(_at_most(passing, sizes, times * limit).max()) for times in TIMES}
        enough = {str(rate): _enough(passing, sizes, rate * limit) for rate in RATES}
        found.append({"limit": limit, "worst": worst, "needed": needed(limit), "enough": enough})
    return found


def _sizes(limit: float) -> NDArray[np.intp]:
    """List numbers of events, each a twentieth more than the last, from the fewest that can hold on."""
    return np.unique(np.ceil(needed(limit) * STEP ** np.arange(60)).astype(np.intp))


def _held(limit: float, lost: int, n: int) -> bool:
    hit = np.arange(n) < lost
    families = np.full(n, FAMILY)
    changes = Changes(np.zeros(n), np.zeros(n, dtype=bool), np.ones(n, dtype=bool), ~hit, families)
    (finding,) = Guards(max_recall_loss={FAMILY: limit}).findings(changes, Units(n))
    return finding.status == HELD


def _at_most(passing: NDArray[np.intp], sizes: NDArray[np.intp], rate: float) -> NDArray[np.float64]:
    from scipy.stats import binom

    return np.asarray(binom.cdf(passing, sizes, rate))


def _enough(passing: NDArray[np.intp], sizes: NDArray[np.intp], rate: float) -> int | None:
    """Return the number of events from which on a rate is held in nine of ten samples."""
    short = np.flatnonzero(_at_most(passing, sizes, rate) < OFTEN)
    first = int(short[-1]) + 1 if len(short) else 0
    return int(sizes[first]) if first < len(sizes) else None


def simulated() -> list[Found]:
    """Simulate at 1.5 limits what cannot be listed: labels that flip in campaigns, a mean KL of several kinds."""
    random = np.random.default_rng(0)
    found = []
    for mean in CAMPAIGNS:
        held = 0
        for _ in range(RUNS):
            unit = np.repeat(np.arange(600), random.geometric(1 / mean, 600))
            hit = (random.random(600) < 1.5 * 0.01)[unit]
            held += _all_held(Guards(max_flips=0.01), hit, np.zeros(len(hit)), Units(len(hit), (unit,)))
        found.append({"what": f"flips, 600 campaigns of {mean} on average, all alike, limit 1 %", "held": held})
    for n in SIMULATED:
        for name, kl in _divergences(n):
            held = sum(_all_held(Guards(max_kl=KL), np.zeros(n, bool), kl(random), Units(n)) for _ in range(RUNS))
            found.append({"what": f"mean KL, {name}, {n:,} events", "held": held})
    return found


def _divergences(n: int) -> list[tuple[str, Any]]:
    """Return kinds of KL whose mean is 1.5 limits: spread evenly, skewed, and nothing but rare great ones."""
    mean = 1.5 * KL
    return [
        ("exponential", lambda random: random.exponential(mean, n)),
        ("lognormal", lambda random: random.lognormal(np.log(mean) - 1.0, np.sqrt(2), n)),
        ("2 % of the events have all of it", lambda random: np.where(random.random(n) < 0.02, 50 * mean, 0.0)),
    ]


def _all_held(guards: Guards, flipped: NDArray[np.bool_], kl: NDArray[np.float64], units: Units) -> bool:
    n = len(flipped)
    changes = Changes(kl, flipped, np.ones(n, dtype=bool), np.ones(n, dtype=bool), np.full(n, FAMILY))
    return all(finding.status == HELD for finding in guards.findings(changes, units))


def measured() -> Found:
    """Measure both, in a minute."""
    return {"shares": shares(), "simulated": simulated()}


def to_markdown(found: Found) -> str:
    """Write how often they are held, and how many events it takes."""
    lines = [
        "| limit of a share | held at worst: truth is the limit | truth is 1.5 limits | fewest events "
        "| nothing lost | a tenth of the limit lost | a quarter lost |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["shares"]:
        worst = " | ".join(f"{row['worst'][str(times)]:.2%}" for times in TIMES)
        enough = " | ".join("" if n is None else f"{n:,}" for n in row["enough"].values())
        lines.append(f"| {row['limit']:.1%} | {worst} | {row['needed']:,} | {enough} |")
    lines += ["", f"| simulated, {RUNS:,} runs each, truth is 1.5 limits | held |", "| --- | --- |"]
    lines += [f"| {row['what']} | {within(clopper_pearson(row['held'], RUNS))} |" for row in found["simulated"]]
    return "\n".join(lines)
