"""Read what web sites were really sent (shared/data/waf) beside the attacks, and bound rates by site."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from settings import TEST, TRAIN, WAF

import overproof
from overproof.checks.stats.proportions import lower_bound, upper_bound
from overproof.checks.stats.resampling import Resampling, bootstrap

BENIGN = "benign"
HELD_OUT = ("cmdi", "open-redirect", "ssti", "xxe", "ssi", "format-string", "nosqli", "ldapi")
RARE = 100  # training rows; a family with fewer is a hard one

Flags = NDArray[np.bool_] | NDArray[np.float64]  # or the share of the seeds that flag an event


@dataclass(frozen=True)
class Request:
    """One benign request of a site that nothing was trained on.

    Attributes
    ----------
    values
        Where each value stood (path, query, cookie, ...) and its text, decoded once.
    """

    site: str
    values: tuple[tuple[str, str], ...]


def requests() -> list[Request]:
    """Read the benign requests."""
    with gzip.open(WAF / "test_requests.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [Request(row["site"], tuple(map(tuple, row["values"]))) for row in map(json.loads, lines)]


def benign(name: str) -> pa.Table:
    """Read the benign values of `train` or `test`: text, label, family, group (the site)."""
    return _columns(overproof.load_events([WAF / f"{name}_benign.csv.gz"]), "site")


def payloads(name: str) -> pa.Table:
    """Read the payloads of `train` or `test`, attacks and benign ones, in the same columns."""
    return _columns(overproof.load_events([TRAIN if name == "train" else TEST]), "group")


def _columns(events: pa.Table, group: str) -> pa.Table:
    names = ("text", "label", "family")
    columns = {name: events[name].cast(pa.large_string()) for name in names}
    return pa.table({**columns, "group": events[group].cast(pa.large_string())})


def of_families(events: pa.Table, families: Sequence[str]) -> pa.Table:
    """Keep the events of some families."""
    return events.filter(pc.is_in(events["family"], pa.array(families, pa.large_string())))


def without_families(events: pa.Table, families: Sequence[str]) -> pa.Table:
    """Keep the events of all other families."""
    return events.filter(pc.invert(pc.is_in(events["family"], pa.array(families, pa.large_string()))))


def hard_families() -> list[str]:
    """Return the families with fewer than `RARE` training rows."""
    counts = payloads("train")["family"].value_counts().to_pylist()
    return sorted(row["values"] for row in counts if row["counts"] < RARE)


def attack_sets() -> dict[str, pa.Table]:
    """Return the attacks to be caught: those of the test set, the hard families' among them, families held out."""
    test = without_families(payloads("test"), [BENIGN])
    both = pa.concat_tables([payloads("train"), payloads("test")])
    return {
        "test attacks": test,
        "hard families": of_families(test, hard_families()),
        "held-out families": of_families(both, HELD_OUT),
    }


def share(flags: Flags) -> dict[str, Any]:
    """Count what is flagged, with the exact 95 % interval (Clopper & Pearson 1934): each event is one draw.

    An event that a part of the seeds flags counts as that part (`proportions` takes counts that are no whole numbers).
    """
    k, n = float(flags.sum()), len(flags)
    return {"k": k, "n": n, "low": lower_bound(k, n, 0.975), "high": upper_bound(k, n, 0.975)}


def share_by_site(flags: Flags, sites: Sequence[str]) -> dict[str, Any]:
    """Count what is flagged, with the 95 % bootstrap interval over whole sites and the sites' own range.

    Requests of a site resemble each other, so that the sites are what was drawn. With as few as eight of them the
    interval is too narrow (`bootstrap` says so): it is widened to what independent events would give, which has a width
    where no site flags anything, and the lowest and highest site are counted too.
    """
    names, plain = np.asarray(sites), share(flags)
    interval = bootstrap(lambda rows: float(flags[rows].mean()), Resampling([0] * len(flags), names))
    rates = [float(flags[names == site].mean()) for site in sorted(set(sites))]
    ends = {"low": min(interval.low, plain["low"]), "high": max(interval.high, plain["high"])}
    return {**plain, **ends, "sites": len(rates), "least": min(rates), "most": max(rates)}


def share_cell(counted: dict[str, Any]) -> str:
    """Write `1.2 % (0.8 … 1.9)`."""
    value, low, high = (100 * x for x in (counted["k"] / counted["n"], counted["low"], counted["high"]))
    digits = 2 if value < 10 else 1
    return f"{value:.{digits}f} % ({low:.{digits}f} … {high:.{digits}f})"
