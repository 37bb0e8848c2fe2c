"""What a bundle says of where it comes from, sealed when it is made and told when it is deployed."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.made_from import DAY, made_from
from overproof.bundle.manifest import MANIFEST, Bundle, inspect, open_bundle, write_bundle
from overproof.errors import InputError
from overproof.events.schema import event_table
from overproof.inference.stream import Request
from overproof.jobs import provenance
from overproof.jobs.config import DataConfig
from overproof.jobs.deploy_config import TriageConfig
from overproof.jobs.provenance import came_from, deployed
from overproof.jobs.triage import triage
from overproof.progress import Console, _no_bar

TIMES = ["2026-01-05T00:00:00Z", None, "2026-01-17T23:30:00-01:00", "yesterday"]
EVENTS = event_table({"text": ["a", "b", "c", "d"], "time": TIMES})


@pytest.fixture(autouse=True)
def undated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_what_is_sealed_of_the_training_events(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = DataConfig(["traffic.csv"], None, None, None, ("benign",))
    assert came_from(EVENTS, mine, {}) == {"published": "", "until": "2026-01-18"}
    theirs = replace(mine, events=["csic-2010.csv"])
    assert "csic" in str(came_from(EVENTS, theirs, {})["published"])
    assert came_from(event_table({"text": ["a"]}), mine, {"simulated": True}) == {
        "published": "the bundle was made of simulated events",
        "until": None,
    }
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")
    assert came_from(EVENTS, mine, {})["created"] == "2026-01-02"


@pytest.mark.parametrize("seconds", ["", "soon", "1e9", "9" * 30])
def test_a_date_that_is_none_is_refused(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
    with pytest.raises(InputError, match=r"SOURCE_DATE_EPOCH=.*: expected seconds since 1970"):
        came_from(EVENTS, DataConfig(["traffic.csv"], None, None, None, ("benign",)), {})


def told(bundle: Bundle, **data: Any) -> str:
    return made_from(replace(bundle, manifest=replace(bundle.manifest, data=data)))


def test_what_is_said_of_it(small_bundle: Path, tmp_path: Path) -> None:
    opened = open_bundle(small_bundle)
    write_bundle(tmp_path / "b", opened.manifest, opened.files)
    bundle, rows = open_bundle(tmp_path / "b"), {"train": 23055}
    today = "; made today, by its file's date"
    assert told(bundle, simulated=True, published="x", rows=rows) == f"made from simulated traffic{today}"
    assert told(bundle, rows=rows, published="") == f"made from 23,055 events{today}"
    assert told(bundle) == f"made from events of which it says nothing{today}"
    assert told(bundle, rows=rows, until="2026-01-18") == f"made from 23,055 events, the newest of 2026-01-18{today}"
    assert told(bundle, published="a\x1b", rows=rows) == f"made from events that look published (a\\x1b){today}"
    assert told(bundle, rows=rows, created="2026-01-02") == "made from 23,055 events; made on 2026-01-02"
    for days, said in ((1, "1 day ago"), (1200, "1,200 days ago"), (-1, "today")):
        os.utime(tmp_path / "b" / MANIFEST, (time.time() - days * DAY - 60,) * 2)
        assert told(bundle, rows=rows) == f"made from 23,055 events; made {said}, by its file's date"
    assert inspect(tmp_path / "b")["made_from"] == made_from(bundle)


@pytest.mark.parametrize(
    ("published", "said"),
    [
        (None, "; checked ({})"),
        ("named like a published corpus", "; not checked on your own events, but on public or simulated ones ({})"),
    ],
    ids=["own events", "public events"],
)
def test_whether_it_was_checked(small_bundle: Path, tmp_path: Path, published: str | None, said: str) -> None:
    bundle, check = open_bundle(small_bundle), tmp_path / "check.json"
    check.write_text(json.dumps({"checks": [{"data": {"unmeasured": "x"}}, {"data": {"published": published}}]}))
    assert deployed(bundle, check) == f"{small_bundle}: {made_from(bundle)}{said.format(check)}"
    assert deployed(bundle, None) == f"{small_bundle}: {made_from(bundle)}; not checked on your own events"


def test_triage_says_it_once(small_bundle: Path, tmp_path: Path) -> None:
    events, lines = tmp_path / "events.txt", list[str]()
    events.write_text("id=1\n")
    config = TriageConfig(small_bundle, Request((str(events),), str(tmp_path / "out.jsonl")))
    triage(config, console=Console(lines.append, _no_bar))
    assert lines.count(provenance.deployed(open_bundle(small_bundle), None)) == 1
