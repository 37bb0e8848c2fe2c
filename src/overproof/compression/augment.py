"""More to learn from without more labels: token splitting, and unlabelled events for the teacher to judge.

Soft labels cost nothing but the teacher's time, so the student also learns from edited and recombined
events that only the teacher has judged. Rare families get as many of them as common ones: that is where
a student loses first.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from urllib.parse import quote

import numpy as np
import tokenizers
from numpy.typing import NDArray

Ids = list[NDArray[np.int64]]


def token_splitter(
    tokenizer: tokenizers.Tokenizer, share: float, longest: int
) -> Callable[[Ids, np.random.Generator], Ids]:
    """A perturbation that splits a random `share` of tokens into the two pieces they were merged from.

    Like BPE-dropout (Provilkov et al. 2020), so that a verdict does not hang on one segmentation, but
    reproducible: the tokenizer's own dropout cannot be seeded. Rows are cut at `longest` tokens.
    """
    pieces = _pieces(tokenizer)

    def perturb(ids: Ids, generator: np.random.Generator) -> Ids:
        for _ in range(2):  # twice, so that pieces of pieces occur
            ids = _split_once(ids, pieces, share, generator)
        return [i[:longest] for i in ids]

    return perturb


def _pieces(tokenizer: tokenizers.Tokenizer) -> NDArray[np.int64]:
    """Shape (vocabulary, 2): the two tokens each was merged from, -1 where it is a single byte."""
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = model["vocab"]
    pieces = np.full((len(vocabulary), 2), -1, dtype=np.int64)
    for left, right in model["merges"]:
        whole = vocabulary[left + right]
        if pieces[whole, 0] < 0:
            pieces[whole] = vocabulary[left], vocabulary[right]
    return pieces


def _split_once(ids: Ids, pieces: NDArray[np.int64], share: float, generator: np.random.Generator) -> Ids:
    flat = np.concatenate(ids)
    split = (generator.random(len(flat)) < share) & (pieces[flat, 0] >= 0)
    widths = 1 + split.astype(np.int64)
    out = np.repeat(flat, widths)
    first = np.cumsum(widths) - widths
    out[first[split]] = pieces[flat[split], 0]
    out[first[split] + 1] = pieces[flat[split], 1]
    ends = np.cumsum([len(i) for i in ids])
    return np.split(out, (first + widths)[ends - 1][:-1])


def transfer_texts(
    texts: Sequence[str], kinds: Sequence[str], *, count: int, benign: Sequence[str], seed: int
) -> list[str]:
    """Unlabelled events made from labelled ones by harmless edits and by recombination.

    Half are one event with case, digits, spaces or percent-encoding changed; a quarter join the head of
    one event to the tail of another of the same kind; a quarter stand inside a benign one, so that an
    attack is recognized wherever it stands. Kinds are drawn with probability ∝ √rows.
    """
    if not texts:
        return []
    draw = random.Random(seed)
    by_kind: dict[str, list[str]] = {}
    for text, kind in zip(texts, kinds, strict=True):
        by_kind.setdefault(kind, []).append(text)
    names = sorted(by_kind)
    weights = [len(by_kind[n]) ** 0.5 for n in names]
    plain = [t for n in names if n in benign for t in by_kind[n]] or list(texts)
    out = []
    for name in draw.choices(names, weights, k=count):
        text, how = draw.choice(by_kind[name]), draw.random()
        if how < 0.5:
            text = draw.choice(EDITS)(text, draw)
        elif how < 0.75:
            other = draw.choice(by_kind[name])
            text = text[: draw.randint(0, len(text))] + other[draw.randint(0, len(other)) :]
        else:
            carrier = draw.choice(plain)
            text = carrier + draw.choice(JOINTS) + text if draw.random() < 0.6 else text + draw.choice(JOINTS) + carrier
        out.append(text or draw.choice(by_kind[name]))
    return out


JOINTS = ("", " ", "&", "=", "/", "; ", "\n", "+", ",")


def _case(text: str, draw: random.Random) -> str:
    how = draw.randrange(3)
    if how == 2:
        return "".join(c.upper() if draw.random() < 0.5 else c.lower() for c in text)
    return text.upper() if how else text.lower()


def _digits(text: str, draw: random.Random) -> str:
    return "".join(draw.choice("0123456789") if c.isdigit() else c for c in text)


def _spaces(text: str, draw: random.Random) -> str:
    return text.replace(" ", draw.choice(("+", "%20", "\t", "/**/", "  ", "%09", "\n")))


def _percent(text: str, draw: random.Random) -> str:
    share = draw.choice((0.1, 0.3, 1.0))
    encode = text.encode("utf-8", "surrogatepass").decode("latin-1")
    special = [quote(c, safe="", encoding="latin-1") if draw.random() < share else c for c in encode]
    return "".join(special) if share < 1 else quote(text, safe="", errors="replace")


EDITS: tuple[Callable[[str, random.Random], str], ...] = (_case, _digits, _spaces, _percent)
