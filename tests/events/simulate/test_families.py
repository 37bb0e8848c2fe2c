from __future__ import annotations

from random import Random

import pytest

from overproof.events.simulate.families import ALONE, NOVEL, TWINS, Family
from overproof.events.simulate.words import actor

FAMILIES = (*ALONE, *(family for pair in TWINS for family in pair), *NOVEL)


def test_a_name_has_one_label_and_labels_agree_with_the_marks() -> None:
    assert len({family.name for family in FAMILIES}) == len({(f.name, f.label, f.domain) for f in FAMILIES})
    assert all(family.novel for family in NOVEL) and not any(family.novel for family in FAMILIES[: -len(NOVEL)])
    assert all(family.label == "normal" for family in FAMILIES if family.hard)
    assert all(family.label != "normal" for family in FAMILIES if family.novel)
    assert {family.domain for family in FAMILIES} == {"http", "dns", "session", "flow", "command", "log"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.write.__name__)
def test_every_family_writes_short_varied_single_lines(family: Family) -> None:
    rng = Random(3)
    texts = [family.write(rng, actor(rng)) for _ in range(60)]
    assert len(set(texts)) > 50
    assert all(0 < len(text) < 700 and "\n" not in text and text == text.strip() for text in texts)


@pytest.mark.parametrize("pair", TWINS, ids=lambda pair: pair[1].write.__name__)
def test_twins_differ_in_label_and_text_and_in_nothing_drawn(pair: tuple[Family, Family]) -> None:
    assert pair[0].label != pair[1].label
    assert pair[0].weight == pair[1].weight
    for seed in range(100):
        streams = Random(seed), Random(seed)
        who = actor(Random(seed))
        texts = [family.write(rng, who) for family, rng in zip(pair, streams, strict=True)]
        assert texts[0] != texts[1]
        assert streams[0].getstate() == streams[1].getstate()
