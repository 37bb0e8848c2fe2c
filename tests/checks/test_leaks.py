"""Own data: leaks are found by text, near-duplicate and group together, and what recurs by chance is none."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from overproof.checks.base import CheckContext, CheckResult, GateResult, Sample, Training
from overproof.checks.gates import gates_with
from overproof.checks.own_data.compute import own_data
from overproof.checks.own_data.leaks import LARGEST, leaked
from overproof.checks.own_data.result import Split
from overproof.events.simulate import simulate
from overproof.events.split import split_events
from overproof.events.templates import FlowRecord
from overproof.jobs.samples import sample_of

FRESH = count()  # every group is a new one, as Zeek's are


def fresh(texts: Sequence[str], label: str = "benign") -> Sample:
    """Events that are each of a group of their own, which is new."""
    n = len(texts)
    groups = [f"C{next(FRESH)}" for _ in texts]
    return Sample(texts, [f"conn.log:{i}" for i in range(n)], [label] * n, [None] * n, groups, [None] * n)


def flows(n: int, seed: int) -> list[str]:
    """Flows as a network has them: some go on and on, 40 % or so were seen before, the others are new."""
    chance = random.Random(seed)
    return [
        FlowRecord(
            proto="tcp",
            orig_host=chance.choice(["printer", "mail", "web", "nas"]) if often else f"host-{chance.randrange(10**6)}",
            resp_host=chance.choice(["10.0.0.7", "198.51.100.9"]) if often else letters(chance),
            service=chance.choice(["http", "tls", "dns"]),
            state=chance.choice(["SF", "S0", "REJ"]),
            orig_bytes=2 ** chance.randrange(20),
            resp_bytes=2 ** chance.randrange(4),
        ).text
        for often in (chance.random() < 0.42 for _ in range(n))
    ]


def letters(chance: random.Random) -> str:
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))


def context_of(train: Sample, validation: Sample, sample: Sample) -> CheckContext:
    return CheckContext(
        sample=sample,
        classes=("benign", "attack"),
        benign=("benign",),
        models={},
        gates=gates_with(0.005),
        margin=0.005,
        training=Training(train, validation),
    )


def judged(context: CheckContext) -> tuple[GateResult, Split]:
    gate, split = leaked(context)
    assert isinstance(split, Split)
    return gate, split


@pytest.fixture(scope="module")
def network() -> CheckContext:
    """Honest flows: low-entropy texts, parted by groups that are always fresh."""
    return context_of(fresh(flows(9000, 1)), fresh(flows(1000, 2)), fresh(flows(3000, 3)))


@pytest.fixture(scope="module")
def web() -> CheckContext:
    """Requests whose texts say much: near-duplicates are kept on one side."""
    made = simulate(3000, seed=3)
    parted = split_events(made.train, seed=1, validation=0.1, test=0.0)
    return context_of(*map(sample_of, (parted.train, parted.validation, made.test)))


Change = Callable[[list[str]], list[str]]


def shuffled(texts: list[str]) -> list[str]:
    return random.Random(0).sample(texts, len(texts))


CHANGES: dict[str, Change] = {
    "as they are": lambda texts: texts,
    "in capitals": lambda texts: [text.upper() for text in texts],
    "with other digits": lambda texts: [moved(text) for text in texts],
    "with other white space": lambda texts: [f" {text}".replace(" ", "  ") for text in texts],
    "shuffled": shuffled,
    "sampled": lambda texts: shuffled(texts)[: len(texts) // 3],
    "twice": lambda texts: texts * 2,
}


def moved(text: str) -> str:
    """Other digits, but not in what says how large a flow was: another size is another flow."""
    parts = text.split("2^")
    return "2^".join([parts[0].translate(OTHER), *(_rest(part) for part in parts[1:])])


OTHER = str.maketrans("0123456789", "3141592653")


def _rest(part: str) -> str:
    size = len(part) - len(part.lstrip("0123456789"))
    return part[:size] + part[size:].translate(OTHER)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("events", ["network", "web"])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_training_events_themselves_are_leaked_whatever_is_done_to_them(
    request: pytest.FixtureRequest, events: str, change: str, part: str
) -> None:
    context: CheckContext = request.getfixturevalue(events)
    known: Sample = getattr(context.training, part)
    gate, split = judged(replace(context, sample=fresh(CHANGES[change](list(known.texts)))))
    assert (gate.status, split.of_group, split.alike) == ("failed", 0, split.events)
    assert gate.value is not None and gate.value > 0.9


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("events", ["network", "web"])
def test_leaked_events_among_fresh_ones_are_found(request: pytest.FixtureRequest, events: str, share: float) -> None:
    context: CheckContext = request.getfixturevalue(events)
    assert context.training is not None
    honest = list(context.sample.texts)
    known = shuffled(list(context.training.train.texts))[: round(len(honest) * share / (1 - share))]
    gate, split = judged(replace(context, sample=fresh(shuffled([*honest, *known]))))
    assert gate.status == "failed" and gate.closed
    assert 0.01 < split.leaked <= len(known) / split.events + 1e-9
    assert "of the events are leaked" in gate.message or split.unseen is None


def test_honest_flows_that_recur_by_chance_pass(network: CheckContext) -> None:
    gate, split = judged(network)
    assert gate.status == "passed" and split.leaked == 0
    assert 0.3 < split.alike / split.events < 0.5 and 0.3 < split.recurring / split.validation < 0.5
    assert split.unseen is not None and split.unseen <= 0.2
    assert "no leak is shown, and one of" in gate.message and "by chance" in gate.message
    assert (gate.value, gate.low, gate.high) == (0, 0, 0)


def test_honest_flows_pass_in_all_but_few_draws() -> None:
    train = fresh(flows(3000, 10))
    failed = 0
    for seed in range(40):
        context = context_of(train, fresh(flows(400, 100 + seed)), fresh(flows(800, 500 + seed)))
        failed += judged(context)[0].status == "failed"
    assert failed <= 3  # one in forty for either bound, and both have to fall together


def test_honest_requests_pass(web: CheckContext) -> None:
    gate, split = judged(web)
    assert (gate.status, split.leaked, split.unseen) == ("passed", 0, None)
    assert split.alike <= 2 and split.recurring <= 2  # a few differ by an identifier alone


def test_where_next_to_nothing_recurs_a_small_leak_is_counted(web: CheckContext) -> None:
    assert web.training is not None
    n = len(web.sample)
    texts = [*web.sample.texts, *web.training.train.texts[: round(0.02 * n)]]
    gate, split = judged(replace(web, sample=fresh(texts)))
    assert (gate.status, split.unseen) == ("failed", None)
    assert gate.value == pytest.approx(0.02, abs=0.01)


def test_where_every_validation_event_recurs_nothing_can_be_told() -> None:
    texts = [f"dns client=desk-{i % 20} query=intranet.example type=A ttl=2^{i % 7}" for i in range(2000)]
    context = context_of(fresh(texts), fresh(texts[:500]), fresh(texts[:700]))
    gate, split = judged(context)
    assert (gate.status, gate.closed) == ("unmeasured", True)
    assert split.recurring == split.validation and split.unseen is not None and split.unseen > LARGEST
    assert "a leak of 50.0 % of the events would not show" in gate.message


def test_flows_of_another_size_are_not_alike() -> None:
    texts = [f"flow proto=tcp orig_host={letters(random.Random(i))} orig_bytes=2^4" for i in range(600)]
    other = [text.replace("2^4", "2^11") for text in texts]
    context = context_of(fresh(texts[:500]), fresh(texts[500:]), fresh(other))
    assert judged(context)[1].alike == 0
    assert judged(replace(context, sample=fresh(texts)))[0].status == "failed"


def test_a_group_that_was_trained_on_leaks_whatever_recurs_by_chance(network: CheckContext) -> None:
    assert network.training is not None
    groups = [
        *network.training.train.groups[:40],
        *network.training.validation.groups[:20],
        *network.sample.groups[60:],
    ]
    gate, split = judged(replace(network, sample=replace(network.sample, groups=groups)))
    assert (split.of_group, gate.status) == (60, "failed")
    assert split.leaked == 60 / 3000 and "at least 2.00 %" in gate.message


def test_copies_of_one_event_are_no_leak_of_many(network: CheckContext) -> None:
    """One flow that goes on and on was seen in training too: it is one recurring thing, not a thousand leaks."""
    honest = list(network.sample.texts)
    beat = flows(1, 1)[0]
    gate, _ = judged(replace(network, sample=fresh([*honest, *[beat] * 3000])))
    assert gate.status == "passed"


def test_another_share_of_attacks_is_no_leak() -> None:
    """Attacks that are all alike recur, and there are more of them in these events than there were in training."""
    scan = "flow proto=tcp orig_host=scanner resp_host=10.0.0.{} state=S0 orig_bytes=0"

    def mixed(benign: int, attacks: int, seed: int) -> Sample:
        texts = [*flows(benign, seed), *(scan.format(i) for i in range(attacks))]
        return replace(fresh(texts), labels=["benign"] * benign + ["attack"] * attacks)

    context = context_of(mixed(6000, 600, 1), mixed(1000, 100, 2), mixed(1000, 1000, 3))
    assert judged(context)[0].status == "passed"


def test_it_is_one_gate_of_the_check(web: CheckContext) -> None:
    known: CheckResult[Any] = own_data(web)
    assert [gate.status for gate in known.gates if gate.key == "own-data/leaked"] == ["passed"]
    assert isinstance(known.data.split, Split)


def test_no_validation_event_is_no_baseline() -> None:
    texts = flows(300, 1)
    nothing = fresh([])
    assert judged(context_of(fresh(texts), nothing, fresh(flows(300, 2))))[0].status == "failed"
    assert (
        judged(context_of(fresh(texts), nothing, fresh([letters(random.Random(i)) for i in range(50)])))[1].alike == 0
    )
    assert np.isfinite(judged(context_of(fresh(texts), nothing, fresh(texts)))[1].leaked)
