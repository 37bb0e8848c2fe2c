"""Draw what was checked, with what, on what: the head and the foot of the page."""

from __future__ import annotations

from overproof.checks.report.outcome import SCHEMA, CheckOutcome
from overproof.checks.report.proof import FullModelIdentity, ReplayedPolicy
from overproof.checks.report.sections import section
from overproof.report import words
from overproof.report.markup import Html, code, listed, many, name, span

Fact = tuple[str, str]  # a title, and what stands for it


def head(report: CheckOutcome) -> Html:
    """Draw one line: which bundle, which events."""
    return section("head", report.bundle, report.events)


def foot(report: CheckOutcome) -> Html:
    """Draw everything that it takes to repeat this."""
    return section("about", [*_bundle(report), *_events(report), *_run(report)])


def _bundle(report: CheckOutcome) -> list[Fact]:
    bundle = report.bundle
    return [
        ("Bundle", name(bundle.name, 200)),
        ("SHA-256 of the model", code(bundle.sha256)),
        ("SHA-256 of the whole bundle", code(report.proof.bundle.sha256)),
        ("Precision, size", f"{words.short(bundle.precision)}, {words.size(bundle.bytes)}"),
        ("Classes", listed(bundle.classes) or "none"),
        ("Benign classes", listed(bundle.benign) or "none"),
        ("Full model", _card(report)),
        ("Cascade", _policy(report.proof.policy)),
    ]


def _card(report: CheckOutcome) -> str:
    full = report.full
    if full is None:
        return "none"
    sizes = {"parameters": full.parameters, "bytes": full.bytes}
    known = [f"{title} {value:,}" for title, value in sizes.items() if value is not None]
    names = [f"{title} {words.short(value)}" for title, value in (("kind", full.kind), ("name", full.name))]
    return ", ".join([*names, *known, f"runtime {words.short(full.runtime)}", _known_by(report.proof.full)])


def _known_by(full: FullModelIdentity | None) -> str:
    if full is None or full.answers is None:
        return "it cannot be asked, so that nothing is promised of another"
    told = "" if full.fingerprint is None else f"its fingerprint {words.short(full.fingerprint)} and "
    return f"known by {told}its answers to {len(full.answers)} probe texts"


def _policy(policy: ReplayedPolicy) -> str:
    """Say which cascade was replayed: nothing is promised of another."""
    sure = "no threshold" if policy.confidence is None else f"confidence {policy.confidence:.6g}"
    far = "any distance" if policy.ood_distance is None else f"distance {policy.ood_distance:.6g}"
    kept = ", ".join(words.short(label) for label in policy.never_alone) or "no label"
    return (
        f"{sure}, margin {policy.margin:g}, {far}, temperature {policy.temperature:.6g}, budget "
        f"{words.percent(policy.budget)}, never alone: {kept}, full model down: {policy.on_full_down}"
    )


def _seed(report: CheckOutcome) -> str:
    return "chosen by hand" if report.proof.events.seed_given else "follows from the events"


def _events(report: CheckOutcome) -> list[Fact]:
    events = report.events
    counts = {
        "rows": events.rows,
        "labelled": events.labelled,
        "attacks": events.attacks,
        "benign": events.benign,
        "unlabelled": events.unlabelled,
    }
    skipped = [f"{n:,}: {words.short(why, 200)}" for why, n in events.skipped.items()]
    return [
        ("Events", ", ".join(f"{n:,} {kind}" for kind, n in counts.items())),
        ("Files", listed(events.files) or "none"),
        ("SHA-256 of the events", code(events.sha256)),
        ("Skipped", "; ".join(skipped) or "none"),
    ]


def _run(report: CheckOutcome) -> list[Fact]:
    margin = report.margin
    fixed = "fixed when the bundle was made" if margin.fixed_before else "not fixed in the bundle"
    file = "the defaults" if report.gate_file is None else words.short(report.gate_file, 200)
    absent = [f"{title}: {why}" for title, why in report.absent.items()]
    return [
        ("Margin", f"{words.percent(margin.value)}, {fixed}. {margin.message}"),
        ("Gates", file),
        ("Closed gates", many(span(code(gate.key), kind="item") for gate in report.closed) or "none"),
        ("Models not there", "; ".join(absent) or "none"),
        ("overproof, seed", f"{words.short(report.overproof)}, seed {report.seed} ({_seed(report)})"),
        ("Format", SCHEMA),
    ]
