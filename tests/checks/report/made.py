"""A made-up outcome of `overproof check`, with every field of docs/check-schema.md."""

from __future__ import annotations

from typing import Any

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
from .made_data import boundary, calibration, escalation, held_out, own_data, rare


def comparison() -> dict[str, Any]:
    """The comparison."""
    sizes = {
        F: (100_412_421, 401_712_640, 31.9, 36.2, 41.0),
        D: (4_260_110, 17_040_440, 0.55, 0.71, 1580.0),
        Q: (4_260_110, 4_512_603, 0.31, 0.42, 2900.0),
        B: (262_144, 1_049_001, 0.06, 0.16, 9100.0),
    }
    made = []
    for name, (parameters, size, p50, p99, speed) in sizes.items():
        benign = right("benign", name)
        hits = sum(right(f, name)[0] for f in FAMILIES if f != "benign")
        attacks = sum(n for f, (n, _, _) in FAMILIES.items() if f != "benign")
        shares = {f: dict(zip("kn", right(f, name), strict=True)) for f in FAMILIES}
        metrics = {
            "n": attacks + benign[1],
            "correct": {"k": hits + benign[0], "n": attacks + benign[1]},
            "macro_f1": 0.95 - 0.02 * SKILL[name],
            "macro_f1_all": 0.9 - 0.03 * SKILL[name],
            "families": shares,
            "missed": {"k": attacks - hits, "n": attacks},
            "flagged": {"k": benign[1] - benign[0], "n": benign[1]},
            "agreed": {"k": 11300, "n": 11401},
            "min_support": 15,
        }
        made.append(
            {"name": name, "parameters": parameters, "bytes": size, "p50_ms": p50, "p99_ms": p99}
            | {"events_per_second": speed, "metrics": metrics, "note": f"timed {EVIL}" if name == B else ""}
        )
    return {"test_rows": 11401, "rows": made}


def gates(key: str) -> list[dict[str, Any]]:
    """Of each check."""
    return {
        "own-data": [
            result("own-data/published", "passed", 0, 0, 0),
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
            {
                **result("held-out/novel", "unmeasured", 0, 0, 0.05, required=False),
                "value": None,
                "low": None,
                "high": None,
                "events": None,
                "message": "unmeasured: these events hold no family that training never met",
            },
        ],
        "escalation": [
            result("escalation/guarantee", "passed", 0.003, 0.0015, 0.005, events=5700),
            result("escalation/verified", "passed", 0.003, 0.003, 0.01, events=5701),
            result("escalation/budget", "passed", 0.037, 0.005, 0.05, events=5701),
        ],
    }[key]


def check(key: str, data: dict[str, Any]) -> dict[str, Any]:
    """One of the six."""
    title, question = KEYS[key]
    found = gates(key)
    closed = next((f for f in found if f["status"] == "failed"), next((f for f in found if f["closed"]), None))
    state = "passed" if closed is None else closed["status"]
    message = (closed or found[0])["message"]
    return {
        "key": key,
        "title": title,
        "question": question,
        "status": state,
        "message": message,
        "gates": found,
        "data": data,
    }


def made(texts: list[str]) -> dict[str, Any]:
    """Everything, with hostile names wherever names come from outside."""
    data = {
        "own-data": own_data(),
        "calibration": calibration(),
        "rare": rare(),
        "boundary": boundary(),
        "held-out": held_out(texts),
        "escalation": escalation(),
    }
    checks = [check(key, data[key]) for key in KEYS]
    closed = [f["key"] for c in checks for f in c["gates"] if f["closed"]]
    return {
        "schema": "overproof.check/2",
        "overproof": "0.1.0",
        "seed": 7,
        "bundle": {
            "name": f"waf-2026 {EVIL}/../x",
            "sha256": "5f0c" * 16,
            "precision": "w8a8",
            "classes": ["benign", "attack", EVIL],
            "benign": ["benign"],
            "bytes": 4_512_603,
        },
        "full": {
            "kind": "huggingface",
            "name": EVIL,
            "parameters": 100_412_421,
            "bytes": 401_712_640,
            "runtime": "onnxruntime",
        },
        "events": {
            "files": ["march.jsonl", EVIL],
            "rows": 11401,
            "labelled": 11401,
            "attacks": 4001,
            "benign": 7400,
            "unlabelled": 0,
            "skipped": {f"no text {EVIL}": 12},
            "sha256": "9ab1" * 16,
        },
        "absent": {},
        "margin": {
            "value": 0.005,
            "fixed_before": True,
            "message": "Half a point of recall, written into the bundle when it was made.",
        },
        "verdict": {
            "decision": "deploy with escalation",
            "sentence": SENTENCE,
            "threshold": 0.9314,
            "because": ["held-out/misses", "escalation/guarantee", f"rare/slices:server={EVIL}"],
            "uses": [
                {
                    "use": "first stage in front of the full model",
                    "kind": "good fit",
                    "answer": "with escalation",
                    "because": "escalation/guarantee",
                    "message": "It decides 96.3 % of the events itself.",
                },
                {
                    "use": "blocking on its own",
                    "kind": "warned against",
                    "answer": "no",
                    "because": "held-out/misses",
                    "message": "It misses more than the margin allows.",
                },
                {
                    "use": "finding rare attacks",
                    "kind": "warned against",
                    "answer": "unmeasured",
                    "because": "rare/pooled",
                    "message": f"41 events of rare families, 320 are needed. {EVIL}",
                },
                {
                    "use": "alerts for people",
                    "kind": "good fit",
                    "answer": "alone",
                    "because": None,
                    "message": "0.14 % false positives.",
                },
            ],
        },
        "comparison": comparison(),
        "checks": checks,
        "gates": {"file": "gates.toml", "closed": closed, "open": not closed},
        "notes": [f"A sample of 11,401 of 2,410,003 events was judged (seed 7). {EVIL}"],
    }


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
