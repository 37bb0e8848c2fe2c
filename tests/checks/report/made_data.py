"""What the eight checks measured, made up, with hostile names wherever names come from outside."""

from __future__ import annotations

from random import Random

from overproof.checks.attacked import AttackSettings, FloodMix
from overproof.checks.boundary.result import (
    EditFlips,
    FlippedByEdit,
    Flips,
    MarginHistogram,
    NeighbourFlips,
    Robustness,
)
from overproof.checks.calibration.result import Calibration, CalibrationErrors, ModelCalibration, SwappedThreshold
from overproof.checks.escalation.result import (
    BudgetRow,
    Escalation,
    EscalationThreshold,
    FlaggedBenign,
    LostAttacks,
    Replay,
    RiskCurve,
    RiskCurves,
    SentShare,
)
from overproof.checks.explanation.result import Alerts as ExplainedAlerts
from overproof.checks.explanation.result import Explanations, Faithfulness, MarkedEvent
from overproof.checks.held_out.result import Cost, FamilyPairs, HeldOutFamily, HeldOutThreats, NovelFamilies
from overproof.checks.own_data.result import (
    Alerts,
    CategoricalDrift,
    ClassFigures,
    ClassRates,
    Deciles,
    FamilyFigures,
    FamilyRates,
    NumericDrift,
    OwnData,
    RateFigures,
    RecallAtRate,
    ScoreDrift,
    Split,
)
from overproof.checks.pairs import PairedLoss
from overproof.checks.rare.result import FamilyLoss, HardBenign, Rare, RightLabels, SliceLoss
from overproof.checks.redteam.result import Attacks, Exclusive, Falls, RedTeam
from overproof.checks.stats import Bin, Interval
from overproof.inference.explanation import Span
from overproof.results.attack_cases import Case, Step

from .figures import EVIL, FAMILIES, MODELS, RARE, SKILL, SPOOF, B, C, D, F, Q, around, counted, event, right, wilson


def own_data() -> OwnData:
    """Its data."""
    shares = {"nginx": 0.61, "apache": 0.22, EVIL: 0.09, "iis": 0.05, "caddy": 0.03}
    numeric = NumericDrift("length", "numeric", 0.081, 0.0001, Deciles(6, 31, 212), Deciles(7, 36, 260), 0.0002)
    categorical = CategoricalDrift("server", "categorical", 0.12, 0.03, shares, {**shares, "nginx": 0.5}, 0.06)
    scores = ScoreDrift(
        edges=tuple(k / 10 for k in range(11)),
        validation=(0.62, 0.02, 0.01, 0.004, 0.003, 0.003, 0.005, 0.01, 0.02, 0.305),
        events=(0.6, 0.022, 0.012, 0.006, 0.004, 0.004, 0.007, 0.012, 0.023, 0.31),
        distance=around(0.034, 0.011),
        p=0.0004,
        benign=0.021,
        attacks=None,
    )
    classes = tuple(
        ClassRates(name, n, {m: ClassFigures(*(wilson(round(n * 0.97), n),) * 3) for m in MODELS})
        for name, n in (("benign", 7400), (EVIL, 4001))
    )
    tpr = tuple(
        RecallAtRate(
            rate,
            seen,
            needs,
            {
                m: RateFigures(around(0.96 - 0.01 * SKILL[m], 0.01) if seen else None, 0.91 if seen else None)
                for m in MODELS
            },
        )
        for rate, seen, needs in ((0.01, True, 300), (0.001, True, 2996), (0.0001, False, 29956))
    )
    return OwnData(
        split=Split(8123, None, 11401, 0, 96, 0, 2500, 2500, 96 / 11401, None),
        published=None,
        drift=(numeric, categorical),
        scores=scores,
        classes=classes,
        families=tuple(FamilyRates(name, 9, {m: FamilyFigures(wilson(8, 9)) for m in MODELS}) for name in FAMILIES),
        tpr=tpr,
        smallest_fpr=0.000405,
        alerts=Alerts(
            events_per_day=2_000_000.0,
            prevalence=0.0005,
            false_alerts=Interval(2810.0, 1950.0, 4040.0),
            true_alerts=Interval(981.0, 976.0, 985.0),
            precision=Interval(0.259, 0.195, 0.336),
        ),
    )


def calibration() -> Calibration:
    """Its data."""
    random = Random(3)
    counts = [140, 60, 45, 40, 52, 61, 90, 160, 402, 10351]
    models = {}
    for model in MODELS:
        drift = 0.02 * SKILL[model]
        bins = tuple(
            Bin(
                low=i / 10,
                high=(i + 1) / 10,
                count=n,
                confidence=(i + 0.5) / 10,
                accuracy=min(max((i + 0.5) / 10 + random.uniform(-4, 2) * drift, 0), 1),
            )
            for i, n in enumerate(counts)
        )
        before, after = (
            CalibrationErrors(around(width, reach), drift, drift / 2, 0.02, 0.07)
            for width, reach in ((drift, 0.004), (drift / 2, 0.003))
        )
        fitted = model != B
        models[model] = ModelCalibration(1.37 if fitted else None, before, after if fitted else None, bins)
    flagged, swapped = wilson(74, 7400), wilson(129, 7400)
    drifted = SwappedThreshold(0.01, 0.413, 0.671, flagged, swapped, wilson(3960, 4001), wilson(3948, 4001))
    return Calibration(models, (drifted,))


def rare() -> Rare:
    """Its data."""
    slices = tuple(
        SliceLoss(
            by="server",
            name=EVIL if i == 2 else f"host-{i:02}",
            n=400 - 9 * i,
            units=390 - 9 * i,
            b=14 - i,
            c=i // 3,
            loss=around((14 - 1.3 * i) / 400, 0.012),
            p=0.0004 * (i + 1),
            p_holm=min(0.02 * (i + 1), 1.0),
        )
        for i in range(14)
    )
    how = "the tenth of them that the full model is least sure of"
    return Rare(
        families=tuple(_family(name) for name in FAMILIES),
        slices=slices,
        tested=83,
        hard_benign=HardBenign(740, 19, 8, around(0.0149, 0.011), how),
        exemplars=tuple(event(f"id={i}{SPOOF}", "sqli", i) for i in range(7)),
    )


def _family(name: str) -> FamilyLoss:
    n, trained, _ = FAMILIES[name]
    counts = {m: right(name, m) for m in MODELS}
    lost = counts[F][0] - counts[Q][0]
    return FamilyLoss(
        name=f"{EVIL} {name}" if name == "ssti" else name,
        n=n,
        units=n,
        rare=trained < RARE,
        trained_on=trained,
        models={m: RightLabels(k, n, wilson(k, n), wilson(k, n, 2.1)) for m, (k, n) in counts.items()},
        b=lost + 2,
        c=2,
        mcnemar=0.04,
        holm=0.31,
        loss=around(lost / n, min(2 / n**0.5, 1)),
        steps={"distillation": (lost + 1, 1), "quantization": (1, 1), "churn": (2, 2)},
    )


def boundary() -> Robustness:
    """Its data."""
    edges = tuple(float(edge) for edge in range(-12, 13, 2))
    counts = (2410, 3309, 1160, 402, 80, 21, 18, 64, 230, 902, 2105, 700)
    edits = tuple(
        EditFlips(
            kind,
            proved,
            n,
            {m: FlippedByEdit(k, wilson(k, n)) for m in (F, D, Q) for k in [round(n * 0.05 * SKILL[m])]},
        )
        for kind, proved, n in (("sql", True, 160), ("percent-encoding", False, 171), ("white space", False, 183))
    )
    return Robustness(
        events=183,
        of=11401,
        margins={
            m: MarginHistogram(edges, tuple(round(n * (1 + 0.1 * i)) for n in counts)) for i, m in enumerate(MODELS)
        },
        quantization=Flips(183, 6, wilson(6, 183)),
        edits=edits,
        neighbours=NeighbourFlips(16, 183, 21, wilson(21, 183)),
    )


def held_out(texts: list[str]) -> HeldOutThreats:
    """Its data."""
    missed = tuple(event(text, "xss", i) for i, text in enumerate(texts))
    families = tuple(
        FamilyPairs(name, n, n, n - 3, 2, 0, 1, 0.5, around(2 / n, min(1.4 / n**0.5, 1)), 1.0)
        for name, (n, _, _) in FAMILIES.items()
        if name != "benign" and n > 3
    )
    novel = {m: counted(60 - i, 64) for i, m in enumerate(MODELS)}
    return HeldOutThreats(
        attacks=PairedLoss(4001, 3860, 3908, 41, 12, 40, 0.0001, around(0.0072, 0.0036)),
        benign=PairedLoss(7400, 7400, 7381, 7, 3, 9, 0.34, around(0.0005, 0.0009)),
        families=families,
        held_out=tuple(_held_out(*kept) for kept in (("nosqli", 11, 0.9), ("ssti", 190, 0.93), ("xxe", 120, 0.95))),
        novel=NovelFamilies(("graphql", EVIL), 64, novel, around(0.031, 0.05)),
        missed_by_quantized_alone=missed[:3],
        missed_by_quantized_alone_total=3,
        missed_by_student=missed,
        missed_by_student_total=71,
        cost=(
            Cost("accuracy", *_steps(0.9921, 0.0031, 0.0004, None)),
            Cost("attacks detected", *_steps(0.9877, 0.0062, 0.001, 0.0002)),
            Cost("benign left alone", *_steps(0.9981, 0.0004, -0.0001, 0.0002)),
        ),
    )


def _held_out(family: str, n: int, seen: float) -> HeldOutFamily:
    shares = ((F, seen), (D, seen - 0.13), (Q, seen - 0.14), (B, seen - 0.4))
    return HeldOutFamily(
        family=family,
        n=n,
        trained_without={m: counted(round(n * share), n) for m, share in shares},
        trained_with={m: counted(round(n * 0.97), n) for m in (F, D, Q, B)},
        false_positives={m: counted(9, 7400) for m in (F, Q)},
        absent={C: f"not trained without {EVIL}"},
    )


def _steps(full: float, distilled: float, quantized: float, churn: float | None) -> tuple[Interval | None, ...]:
    return (
        around(full, 0.002),
        around(-distilled, 0.0012),
        around(-quantized, 0.0006),
        None if churn is None else around(churn, 0.0011),
        around(full - distilled - quantized, 0.0024),
    )


def escalation() -> Escalation:
    """Its data."""
    coverage = tuple(1 - i / 200 for i in range(200))
    curves = RiskCurves(
        quantized=RiskCurve(coverage, tuple(0.0114 * c**9 for c in coverage)),
        oracle=RiskCurve(coverage, tuple(max(0.0114 - (1 - c), 0.0) for c in coverage)),
        random=RiskCurve(coverage, tuple(0.0114 for _ in coverage)),
    )
    budgets = tuple(
        BudgetRow(share, round(11401 * share), missed, 4001, 12, 52 * (1 - share), useful, 1 - useful)
        for share, missed, useful in ((0.01, 31, 0.44), (0.02, 22, 0.31), (0.05, 15, 0.16), (0.1, 13, 0.09))
    )
    threshold = EscalationThreshold(
        value=0.9314,
        limit=0.005,
        confidence=0.95,
        policy=f"longer than was judged; never decided alone: {EVIL}",
        chosen_on=5700,
        chosen_units=5600,
        verified_on=5701,
        verified_units=5590,
        escalated=SentShare(wilson(211, 5701), 0.35, weighted=False),
        missed=LostAttacks(6, 1998, wilson(6, 1998)),
        flagged=FlaggedBenign(7400, 5, 2, around(0.0004, 0.0007)),
        replay=Replay(
            5701,
            "by time",
            0.05,
            {"doubt": 150, "ood": 40, "other": 15},
            {"doubt": 2, "ood": 4, "other": 0},
            1998,
            8,
            2,
            3700,
            11,
        ),
    )
    return Escalation(
        curves=curves,
        augrc={F: 0.0004, D: 0.0006, Q: 0.00064, B: 0.0011, "oracle": 0.00007, "random": 0.0057},
        budgets=budgets,
        threshold=threshold,
        warning="The guarantee holds for events like these: not under attack, and not after drift.",
    )


def explanations() -> Explanations:
    """Its data."""
    of = {
        m: Faithfulness(n, n - 2, n - k, wilson(n - k, n), wilson(n - 9, n), wilson(7, n))
        for m, n, k in ((Q, 300, 3), (F, 290, 11))
    }
    spans = (Span(0, 1, 4.2), Span(3, 9, 1.5))
    examples = (
        MarkedEvent(f"march.jsonl:9 {EVIL}", f"{SPOOF} {EVIL}", EVIL, EVIL, spans),
        MarkedEvent("march.jsonl:12", f"{'a' * 3000} union {'b' * 3000}", "sqli", None, (Span(3000, 3007, 6),)),
        MarkedEvent("march.jsonl:15", "nothing here", "sqli", "sqli", ()),
    )
    return Explanations(ExplainedAlerts(4012, 300, 1, 4, of, examples))


SETTINGS = AttackSettings(100, 200)


def red_team() -> RedTeam:
    """Its data."""
    falls = tuple(
        Falls(objective, m, f"what {objective} wants", counted(k, 180), {"cmdi": counted(k, 90), EVIL: counted(0, 90)})
        for objective, m, k in (("evasion", Q, 12), ("evasion", C, 7), ("bypass", Q, 9))
    )
    mixes = tuple(FloodMix(share, 11000, 1000, 0, 0, 9, 4) for share in (0.1, 0.9))
    cases = (
        edited("evasion", "cmdi", "1 or 1=1", "1 or/**/1=1"),
        edited("evasion", EVIL, SPOOF, f"{SPOOF} {EVIL}"),
        edited("bypass", "cmdi", "1 or 1=1", "1 or 1 = 1"),
        edited("flood", "benign", "shoes", "shoes ?"),
    )
    exclusive = Exclusive(180, 170, 5, 7, 2, around(5 / 180, 0.03))
    left_out = {f"no edits for the family {EVIL}": 3}
    return RedTeam(SETTINGS, Attacks(0.9314, falls, exclusive, counted(3, 180), mixes, left_out, cases))


def edited(objective: str, family: str, original: str, text: str) -> Case:
    """A success."""
    return Case(
        objective,
        "bandit",
        Q,
        family,
        "sql",
        f"march.jsonl:{len(text)}",
        original,
        text,
        (Step(f"a comment for a space {EVIL}", 7),),
        31,
        0.98,
        "proved",
        "SQLite: the same rows",
        f"{original} | comment",
    )
