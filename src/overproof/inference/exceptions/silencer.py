"""Decide which alerts are silenced, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from overproof.inference.cascade import Cascade
from overproof.inference.cascade.policy import deferrals, out_of_distribution
from overproof.inference.exceptions.match import barred, concerns
from overproof.inference.exceptions.rules import Rule
from overproof.inference.explanation import Span, explain

MOST_PROVED = 64  # texts of a batch whose spans are proved, each by an explanation: whoever attacks may send many
_TOO_MANY = f"more than {MOST_PROVED} texts at once"
_MOSTLY = 0.5  # more than this share of the first span has to lie in the text that a rule names


@dataclass(frozen=True)
class Outcome:
    """What became of alerts that rules are about.

    Attributes
    ----------
    silenced
        Place of each alert that is silenced, to the name of the rule.
    left
        Of each alert that stays one although a rule is about it, the reason.
    """

    silenced: Mapping[int, str]
    left: Mapping[int, str]


class Silencer:
    """Silences alerts by rules.

    Parameters
    ----------
    rules
        In their order: of several that hold, the first silences.
    cascade
        Whose verdicts they are; its student is asked what an alert is without a span.
    """

    def __init__(self, rules: Sequence[Rule], cascade: Cascade) -> None:
        self._rules, self._cascade = tuple(rules), cascade
        self._spans = list(dict.fromkeys(rule.span for rule in rules if rule.span is not None))

    def __call__(self, alerts: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> Outcome:
        """Return which of the alerts are silenced: those with a text each."""
        wanted = self.unproved(alerts, texts)
        return self.settle(alerts, texts, dict(zip(wanted, self.proved(wanted), strict=True)))

    def unproved(self, alerts: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[str]:
        """Return the texts of which a span has to be proved, at most `MOST_PROVED`."""
        now = datetime.now(UTC)
        found = dict.fromkeys(
            text
            for alert, text in zip(alerts, texts, strict=True)
            if any(self._why_not(rule, alert, None, now) == _TOO_MANY for rule in self._about(alert, text))
        )
        return list(found)[:MOST_PROVED]

    def proved(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """Return for each text those spans of rules that are all that makes it an attack.

        Without the span the student calls the text benign, and may be trusted with it: as one piece, and with a blank
        where the span was. And the span is what the explanation of the alert names first.
        """
        asked = [(place, span) for place, text in enumerate(texts) for span in self._spans if span in text]
        rests = [_rests(texts[place], span) for place, span in asked]
        benign: list[list[bool]] = self._benign([rest for two in rests for rest in two]).reshape(-1, 2).tolist()
        held = [pair for pair, both in zip(asked, benign, strict=True) if all(both)]
        places = sorted({place for place, _ in held})
        explained = dict(zip(places, explain(self._cascade.student, [texts[i] for i in places]), strict=True))
        found: list[set[str]] = [set() for _ in texts]
        for place, span in held:
            if _names(explained[place], texts[place], span):
                found[place].add(span)
        return list(map(frozenset, found))

    def settle(
        self, alerts: Sequence[Mapping[str, Any]], texts: Sequence[str], proved: Mapping[str, frozenset[str]]
    ) -> Outcome:
        """Return which alerts are silenced, by what was proved of their texts."""
        now = datetime.now(UTC)
        silenced, left = dict[int, str](), dict[int, str]()
        for place, (alert, text) in enumerate(zip(alerts, texts, strict=True)):
            for rule in self._about(alert, text):
                why = self._why_not(rule, alert, proved.get(text), now)
                if why is None:
                    silenced[place] = rule.name
                    left.pop(place, None)
                    break
                left.setdefault(place, why)
        return Outcome(silenced, left)

    def _about(self, alert: Mapping[str, Any], text: str) -> Iterable[Rule]:
        return (rule for rule in self._rules if concerns(rule, alert, text))

    def _why_not(
        self, rule: Rule, alert: Mapping[str, Any], proved: frozenset[str] | None, now: datetime
    ) -> str | None:
        """Say why a rule that is about an alert leaves it one; None if it silences it."""
        if rule.expired(now):
            return f"the rule {rule.name} expired on {rule.until}"
        if (why := barred(alert, self._cascade.policy.ood_distance)) is not None:
            return why
        if rule.span is None:
            return None
        if alert["decided_by"] == "full":
            return "the full model decided them, and was not asked about them without the span"
        if proved is None:
            return _TOO_MANY
        return None if rule.span in proved else "they are not benign without the span, or are about something else"

    def _benign(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which texts the student calls benign and may be trusted with."""
        if not texts:
            return np.zeros(0, dtype=np.bool_)
        student, policy = self._cascade.student, self._cascade.policy
        scores = student.score(texts)
        tame = np.array([name in student.manifest.benign for name in scores.classes])[scores.labels]
        tame &= ~out_of_distribution(scores, policy) & ~scores.overflow
        tame[list(deferrals(scores, policy).rows)] = False
        return tame


def _rests(text: str, span: str) -> tuple[str, str]:
    """Return a text without a span: what stands around it joined, and apart."""
    return text.replace(span, ""), text.replace(span, " ")


def _names(spans: Sequence[Span], text: str, named: str) -> bool:
    """Return whether the span that carries most lies mostly in what a rule names."""
    if not spans:
        return False
    first, inside, begin = spans[0], 0, text.find(named)
    while begin >= 0:
        inside += max(0, min(first.end, begin + len(named)) - max(first.start, begin))
        begin = text.find(named, begin + len(named))
    return inside > _MOSTLY * (first.end - first.start)
