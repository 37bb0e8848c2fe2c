"""A made-up outcome of `overproof check`, with every field of docs/check-schema.md."""

from __future__ import annotations

from overproof.checks.base import CheckResult, GateResult
from overproof.checks.report import CheckReport
from overproof.checks.report.outcome import CheckedBundle, CheckedEvents, FullModelCard, Margin
from overproof.checks.report.proof import BundleDigests, FullModelIdentity, Proof, ProvenEvents, ReplayedPolicy
from overproof.checks.suitability import Use
from overproof.checks.verdict import Decision
from overproof.report.not_measured import NotMeasured
from overproof.results import Comparison, Metrics, Row, Share
from overproof.results.operating_points import (
    RATES,
    Counted,
    Difference,
    OperatingPoint,
    OperatingPoints,
    PairedDifference,
    RatePoints,
)
from overproof.results.roc import RocCurve

from .figures import (
    EVIL,
    FAMILIES,
    KEYS,
    MISSES,
    SENTENCE,
    SKILL,
    SPOOF,
    B,
    D,
    F,
    Q,
    result,
    right,
)
from .made_confusion import confusion, embedding_map
from .made_data import SETTINGS, boundary, calibration, escalation, explanations, held_out, own_data, rare, red_team


def comparison() -> Comparison:
    """The comparison."""
    sizes = {
        F: (100_412_421, 401_712_640, 31.9, 36.2, 41.0),
        D: (4_260_110, 17_040_440, 0.55, 0.71, 1580.0),
        Q: (4_260_110, 4_512_603, 0.31, 0.42, 2900.0),
        B: (262_144, 1_049_001, 0.06, 0.16, 9100.0),
    }
    rows = [Row(name, *size, _metrics(name), f"timed {EVIL}" if name == B else "") for name, size in sizes.items()]
    return Comparison(tuple(rows), 11401, operating_points())


def operating_points() -> OperatingPoints:
    """What the models miss at the same false-positive rates; one was not measured."""
    return OperatingPoints(
        tuple(
            RatePoints(
                rate,
                {**{name: _point(name, rate) for name in (F, Q, B)}, D: NotMeasured(f"no evidence {EVIL}")},
                {B: _difference(rate, -0.004), F: _difference(rate, 0.001)},
            )
            for rate in RATES
        )
    )


def _point(name: str, rate: float) -> OperatingPoint:
    missed, flagged = round(0.0001 * SKILL[name] * 4001 / rate**0.5), round(7400 * rate * 1.1)
    return OperatingPoint(
        0.5 - 10 * rate,
        Counted(flagged, 7400, 7000, 0.9 * rate, 1.3 * rate),
        Counted(missed, 4001, 3900, missed / 5000, missed / 3000),
        {f"sqli {EVIL}": Share(1880, 1900), "xss": Share(820, 820)},
    )


def _difference(rate: float, value: float) -> Difference:
    shift = PairedDifference(4001, 3900, 10, 26, value, value - 0.001, value + 0.002)
    flagged = Share(round(7400 * rate), 7400)
    return Difference(flagged, flagged, shift, {f"sqli {EVIL}": shift})


def curves() -> dict[str, RocCurve]:
    """Curves of the full model, the student and the baseline."""
    flagged = (0, 0, 2, 7, 20, 74, 300, 1200, 7400)
    missed = {F: (900, 60, 30, 12, 6, 2, 0, 0), Q: (1200, 70, 35, 14, 7, 3, 1, 0), B: (2000, 300, 90, 40, 20, 9, 1, 0)}
    return {name: RocCurve(7400, 4001, flagged, (4001, *counts)) for name, counts in missed.items()}


def _metrics(name: str) -> Metrics:
    benign = right("benign", name)
    hits = sum(right(f, name)[0] for f in FAMILIES if f != "benign")
    attacks = sum(n for f, (n, _, _) in FAMILIES.items() if f != "benign")
    return Metrics(
        n=attacks + benign[1],
        correct=Share(hits + benign[0], attacks + benign[1]),
        macro_f1=0.95 - 0.02 * SKILL[name],
        macro_f1_all=0.9 - 0.03 * SKILL[name],
        families={f: Share(*right(f, name)) for f in FAMILIES},
        missed=Share(attacks - hits, attacks),
        flagged=Share(benign[1] - benign[0], benign[1]),
        agreed=Share(11300, 11401),
    )


def gates(key: str) -> list[GateResult]:
    """Of each check."""
    return {
        "own-data": [
            result("own-data/published", "passed", 0, 0, 0),
            result("own-data/full-model", "passed", 0.0, 0.0, 0.01),
            result("own-data/leaked", "passed", 0.0084, 0.0012, 0.01),
            result("own-data/score-drift", "passed", 0.034, 0.011, 0.2),
            result("own-data/field-drift", "passed", 0.12, 0.02, 0.3, required=False),
        ],
        "calibration": [
            result("calibration/error", "passed", 0.0105, 0.003, 0.05),
            result("calibration/against-full", "passed", -0.0021, 0.004, 0.02),
            result("calibration/threshold-drift", "unmeasured", 0.0074, 0.004, 0.01, events=7400, needed=11200),
        ],
        "rare": [
            result("rare/pooled", "unmeasured", 0.073, 0.08, 0.05, events=41, needed=320),
            *(
                result(
                    f"rare/family:{EVIL if name == 'ldapi' else name}",
                    "unmeasured",
                    0.1,
                    0.31,
                    0.05,
                    events=FAMILIES[name][0],
                    required=False,
                )
                for name in ("format-string", "nosqli", "ldapi", "xpathi")
            ),
            result(f"rare/slices:server={EVIL}", "passed", 0.031, 0.011, 0.05),
            result("rare/hard-benign", "passed", 0.0149, 0.011, 0.05, events=740),
        ],
        "boundary": [
            result("boundary/edits", "passed", 0.006, 0.02, 0.05, events=514),
            result("boundary/neighbours", "unmeasured", 0.115, 0.045, 0.1, events=183, required=False),
            result("boundary/quantization", "passed", 0.0328, 0.015, 0.05, events=183),
        ],
        "held-out": [
            result("held-out/misses", "failed", 0.0092, 0.0036, 0.005, events=4001, message=MISSES),
            result("held-out/false-positives", "passed", 0.0005, 0.0009, 0.005, events=7400),
            result("held-out/quantized-alone", "passed", 0.0007, 0.0009, 0.005, events=4001),
            GateResult(
                "held-out/novel",
                "unmeasured",
                "unmeasured: these events hold no family that training never met",
                limit=0.05,
                required=False,
            ),
        ],
        "escalation": [
            result("escalation/guarantee", "passed", 0.003, 0.0015, 0.005, events=5700),
            result("escalation/verified", "passed", 0.003, 0.003, 0.01, events=5701),
            result("escalation/budget", "passed", 0.037, 0.005, 0.05, events=5701),
            result("escalation/deferred", "passed", 0.001, 0.001, 0.005, events=5701),
        ],
        "explanation": [result("explanation/unfaithful", "passed", 0.01, 0.02, 0.05, events=300, required=False)],
        "redteam": [
            result("redteam/exclusive", "unmeasured", 0.03, 0.03, 0.05, events=180, needed=410, required=False),
            result("redteam/cascade-bypass", "passed", 0.02, 0.015, 0.05, events=180, required=False),
            result("redteam/flood", "passed", 0, 0, 0, events=11111, required=False),
        ],
    }[key]


def made(texts: list[str]) -> CheckReport:
    """Everything, with hostile names wherever names come from outside."""
    data = {
        "own-data": own_data(),
        "calibration": calibration(),
        "rare": rare(),
        "boundary": boundary(),
        "held-out": held_out(texts),
        "escalation": escalation(),
        "explanation": explanations(),
        "redteam": red_team(),
    }
    return CheckReport(
        overproof="0.1.0",
        seed=7,
        proof=proof(),
        bundle=CheckedBundle(
            name=f"waf-2026 {EVIL}/../x",
            sha256="5f0c" * 16,
            precision="w8a8",
            classes=("benign", "attack", EVIL),
            benign=("benign",),
            bytes=4_512_603,
        ),
        full=FullModelCard("huggingface", EVIL, 100_412_421, 401_712_640, "onnxruntime"),
        events=CheckedEvents(
            rows=11401,
            labelled=11401,
            attacks=4001,
            benign=7400,
            unlabelled=0,
            files=("march.jsonl", EVIL),
            skipped={f"no text {EVIL}": 12},
            sha256="9ab1" * 16,
        ),
        absent={},
        margin=Margin(0.005, True, "Half a point of recall, written into the bundle when it was made."),
        verdict=verdict(),
        comparison=comparison(),
        curves=curves(),
        confusion=confusion(),
        embedding_map=embedding_map(),
        checks=tuple(CheckResult(key, *KEYS[key], tuple(gates(key)), data[key]) for key in KEYS),
        gate_file="gates.toml",
        notes=(f"A sample of 11,401 of 2,410,003 events was judged (seed 7). {EVIL}",),
    )


def proof() -> Proof:
    """What it is a proof of."""
    entries = {"classes": f'["benign", "attack", "{EVIL}"]', "calibration": "1.3", "config": "sha256:" + "0c" * 32}
    return Proof(
        bundle=BundleDigests("7ea1" * 16, {"model.onnx": "5f0c" * 16, "tokenizer.json": "31aa" * 16}, entries),
        full=FullModelIdentity("huggingface", EVIL, "ab12" * 16, ((0.9, 0.1, 0.0), (0.25, 0.75, 0.0))),
        policy=ReplayedPolicy(0.9314, 0.0, 3.5, True, (EVIL,), 1.3, 0.05, "hold"),
        events=ProvenEvents("9ab1" * 16, 7, True),
        attack=SETTINGS,
    )


def verdict() -> Decision:
    """The verdict."""
    guarantee, misses, pooled = "escalation/guarantee", "held-out/misses", "rare/pooled"
    few = f"41 events of rare families, 320 are needed. {EVIL}"
    return Decision(
        decision="deploy with escalation",
        sentence=SENTENCE,
        threshold=0.9314,
        because=(misses, guarantee, f"rare/slices:server={EVIL}"),
        uses=(
            Use(
                "first stage in front of the full model",
                "good fit",
                "with escalation",
                guarantee,
                "It decides 96.3 % of the events itself.",
            ),
            Use("blocking on its own", "warned against", "no", misses, "It misses more than the margin allows."),
            Use("finding rare attacks", "warned against", "unmeasured", pooled, few),
            Use("alerts for people", "good fit", "alone", None, "0.14 % false positives."),
        ),
    )


def texts() -> list[str]:
    """Events that were missed."""
    long = "GET /?q=" + "%27%20OR%201=1--" * 70
    lines = "\nPOST /login HTTP/1.1\nHost: x\n\n\tuser=admin'--&pw=`|pipe|`"
    return [
        EVIL,
        SPOOF,
        long,
        lines,
        "A" * 9000,
        "@octocat see [this](http://evil.test) | #1 www.evil.test <b>",
        "``` a ` b ````",
        *(f"<svg/onload=alert({i})>" for i in range(12)),
    ]
