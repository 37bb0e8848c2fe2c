"""Augment the training events without more labels: split tokens, benign surroundings, events for the teacher.

Soft labels cost nothing but the teacher's time, so the student also learns from edited and recombined
events that only the teacher has judged. Rare families get more of them than their share: that is where a
student loses first.
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
Perturb = Callable[[Ids, np.random.Generator], Ids]


def token_splitter(tokenizer: tokenizers.Tokenizer, share: float, longest: int) -> Perturb:
    """Return a perturbation that splits a random `share` of tokens, twice, into the two pieces they were merged from.

    Like BPE-dropout (Provilkov et al. 2020), so that a verdict does not hang on one segmentation, but
    reproducible: the tokenizer's own dropout cannot be seeded. Rows are cut at `longest` tokens.
    """
    pieces = _pieces(tokenizer)

    def perturb(ids: Ids, generator: np.random.Generator) -> Ids:
        for _ in range(2):  # twice, so that pieces of pieces occur
            ids = _split_once(ids, pieces, share, generator)
        return [i[:longest] for i in ids]

    return perturb


def carriers(benign: Ids, share: float, longest: int) -> Perturb:
    """Return a perturbation that sets a random `share` of rows among benign events, up to `longest` tokens in all.

    A benign event stays benign among others, and an attack stays an attack wherever it stands, so the row
    keeps its own label and soft labels. Without this, an attack at the end of a long benign text is missed:
    the network has never seen one there, and a teacher that is itself diluted by the text cannot say.
    """
    bodies = [ids[1:] for ids in benign if len(ids) > 1]

    def perturb(ids: Ids, generator: np.random.Generator) -> Ids:
        out = list(ids)
        for k in np.flatnonzero(generator.random(len(ids)) < share if bodies else []):
            room = longest - len(ids[k])
            if room < 1:
                continue
            length = 1 + int(room * generator.random() ** 2)  # any length, short ones more often: they are cheap
            fill = _filler(bodies, length, generator)
            # mostly at the end: that is where an attacker pads it to
            before = (len(fill), len(fill), 0, int(generator.integers(len(fill) + 1)))[int(generator.integers(4))]
            out[k] = np.concatenate([ids[k][:1], fill[:before], ids[k][1:], fill[before:]])
        return out

    return perturb


def _filler(bodies: Ids, tokens: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the end of a row of randomly drawn bodies, `tokens` long."""
    parts: Ids = []
    while sum(map(len, parts)) < tokens:
        parts.append(bodies[int(generator.integers(len(bodies)))])
    return np.concatenate(parts)[-tokens:]


def _pieces(tokenizer: tokenizers.Tokenizer) -> NDArray[np.int64]:
    """Return the two tokens each was merged from, -1 where it is a single byte; shape (vocabulary, 2)."""
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = model["vocab"]
    pieces = np.full((len(vocabulary), 2), -1, dtype=np.int64)
    for left, right in model["merges"]:
        merged = vocabulary[left + right]
        if pieces[merged, 0] < 0:
            pieces[merged] = vocabulary[left], vocabulary[right]
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


def transfer_texts(texts: Sequence[str], kinds: Sequence[str], *, count: int, seed: int) -> list[str]:
    """Make unlabelled events from labelled ones, by edits that keep the label and by recombination.

    Two thirds are one event with case, digits, spaces or percent-encoding changed, a third joins the head of one
    event to the tail of another of the same kind. Kinds are drawn with probability ∝ √rows.
    """
    if not texts:
        return []
    draw = random.Random(seed)
    by_kind: dict[str, list[str]] = {}
    for text, kind in zip(texts, kinds, strict=True):
        by_kind.setdefault(kind, []).append(text)
    names = sorted(by_kind)
    weights = [len(by_kind[n]) ** 0.5 for n in names]
    out = []
    for name in draw.choices(names, weights, k=count):
        text = draw.choice(by_kind[name])
        if draw.random() < 2 / 3:
            edited = draw.choice(EDITS)(text, draw)
        else:
            other = draw.choice(by_kind[name])
            edited = text[: draw.randint(0, len(text))] + other[draw.randint(0, len(other)) :]
        out.append(edited or text)
    return out


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
