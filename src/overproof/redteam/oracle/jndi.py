"""Prove that two texts make Log4j 2 (2.14) look up the same JNDI names, by evaluating their look-ups as it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from overproof.redteam.base import Proof

DEEPEST = 60  # look-ups within look-ups that are followed
# What a server may well know: it is kept as it stands, whether a default follows it or not.
TELLING = {"java", "date", "log4j", "docker", "k8s", "bundle"}


@dataclass
class _Reader:
    text: str
    asked: list[str] = field(default_factory=list)

    def value(self, place: int, depth: int) -> tuple[int, str]:
        """Evaluate from a place up to the brace that ends the look-up (or the text's end)."""
        parts: list[str] = []
        while place < len(self.text):
            if self.text.startswith("${", place):
                if depth >= DEEPEST:
                    raise RecursionError
                end, inside = self.value(place + 2, depth + 1)
                if self.text[end : end + 1] != "}":
                    raise ValueError("a look-up does not end")
                parts.append(self.look_up(inside))
                place = end + 1
            elif self.text[place] == "}" and depth:
                break
            else:
                parts.append(self.text[place])
                place += 1
        return place, "".join(parts)

    def look_up(self, inside: str) -> str:
        """Evaluate one look-up whose name is evaluated already."""
        # Log4j takes the first `:-` as the beginning of the default.
        name, dash, default = inside.partition(":-")
        prefix, colon, key = name.partition(":")
        prefix = prefix.lower()
        if prefix == "jndi" and colon:
            self.asked.append(key)
            return f"<jndi {key}>"
        if prefix == "lower" and colon:
            return key.lower()
        if prefix == "upper" and colon:
            return key.upper()
        if dash and prefix not in TELLING and not _set_somewhere(prefix, key):
            return default
        return f"<{inside}>"


def _set_somewhere(prefix: str, key: str) -> bool:
    """Say whether servers are likely to have such a variable or property."""
    if prefix == "env":
        return key in {"PATH", "HOME", "USER", "HOSTNAME", "PWD", "SHELL", "LANG"} or key.startswith(("AWS_", "JAVA_"))
    return prefix == "sys" and key.startswith(("java.", "os.", "user.", "file.", "line.", "path."))


def judge(pairs: Sequence[tuple[str, str]]) -> list[Proof]:
    """Compare what the look-ups of each pair ask of JNDI."""
    return [_judge(original, edited) for original, edited in pairs]


def _judge(original: str, edited: str) -> Proof:
    wanted, found = _asked(original), _asked(edited)
    if not wanted:
        return Proof("unproved", "Log4j 2: asks JNDI for nothing")
    if found is None:
        return Proof("changed", "Log4j 2: a look-up does not end")
    if found != wanted:
        return Proof("changed", "Log4j 2: asks JNDI for something else")
    return Proof("proved", "Log4j 2: asks JNDI for the same names")


def _asked(text: str) -> list[str] | None:
    reader = _Reader(text)
    try:
        reader.value(0, 0)
    except (ValueError, RecursionError):
        return None
    return reader.asked
