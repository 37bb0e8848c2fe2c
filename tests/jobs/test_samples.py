"""Event tables as the checks take them; published and simulated events are seen for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import overproof
from overproof.events.schema import event_table
from overproof.events.simulate import simulate
from overproof.jobs.samples import looks_published, sample_of

MINE = event_table({"text": ["a", "b"], "label": ["x", None], "source": ["edge-3", "proxy"], "score": [1.0, None]})


def test_columns_of_their_own_become_fields() -> None:
    sample = sample_of(MINE)
    assert (sample.texts, sample.labels, sample.families) == (["a", "b"], ["x", None], [None, None])
    assert sample.origins == ["event:1", "event:2"]
    assert dict(sample.fields) == {"source": ["edge-3", "proxy"], "score": [1.0, None]}
    assert len(sample) == 2


def test_ones_own_events_do_not_look_published() -> None:
    assert looks_published(MINE, ["traffic/2026-11-24.csv"], {"simulated": False}) == ""
    assert looks_published(MINE, ["packdd.csv", "kddx.csv", "akdd"], {}) == ""  # only a whole word counts


@pytest.mark.parametrize(
    "name", ["KDDTest+.txt", "nsl_kdd/test.csv", "CIC-IDS 2017.csv", "UNSW-NB15_1.csv", "fuzzdb.txt"]
)
def test_files_named_like_a_corpus_do(name: str) -> None:
    why = looks_published(MINE, [name], {})
    assert (name in why) == (name != "KDDTest+.txt")  # a name like any other


def test_columns_tell_it_too() -> None:
    named = event_table({"text": ["a", "b"], "source": ["PayloadsAllTheThings", "proxy"]})
    assert "payloadsallthethings" in looks_published(named, [], {})
    licensed = event_table({"text": ["a"], "license": ["MIT"]})
    assert "licence" in looks_published(licensed, [], {})
    assert "simulated" in looks_published(simulate(300, seed=1).train, [], {})
    assert "simulated" in looks_published(MINE, [], {"simulated": True})


def test_the_real_payloads_are_public(shared_data: Path) -> None:
    table = overproof.load_events([shared_data / "http" / "test.csv.gz"])
    assert "httpparams" in looks_published(table, [], {})
