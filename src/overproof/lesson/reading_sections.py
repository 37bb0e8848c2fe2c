"""Put into a section how the small students read: one sums n-grams, the other lets tokens look at each other."""

from __future__ import annotations

from overproof.bundle.ngrams import BEFORE, LONGEST, ROWS, WIDTH
from overproof.lesson import printed_values
from overproof.lesson.blocks import Block, Rows, Section, Table
from overproof.lesson.reading import Reading, Score, Summed, counted
from overproof.lesson.user_data import UserData

PARTS, TOKENS, LONGEST_SHOWN = 8, 40, 200


def reading_section(user: UserData) -> Section:
    """Return the section: both ways to read, the sum of a score, and how the user's bundle reads."""
    return Section(
        "reading",
        "How the small ones read, and why a score is a sum",
        (
            "An encoder cuts a text into tokens, and each token's numbers change with all the others around it "
            "(attention): what a word adds to the score hangs on the rest of the text. A student of n-grams reads "
            f"bytes: every run of 1 to {LONGEST} of them, between two marks (byte {BEFORE} stands in front), names a "
            f"row of a table of {ROWS:,} by {WIDTH} INT8 weights, and the rows are added up. It has no other layer "
            "that grows with the text, so it is fast; whole numbers are added, so the sum is the same in any order, "
            "on any machine.",
            _counts(),
            *_score(user.score),
        ),
        _own(user),
    )


def _counts() -> Table:
    rows: Rows = [("packet", "bytes", "n-grams", "rows of the table")]
    for packet in printed_values.PACKETS:
        found = counted(packet.text)
        rows.append((f"{packet.name}: {packet.text}", f"{found.size:,}", f"{found.ngrams:,}", f"{found.rows:,}"))
    return Table(tuple(rows))


def _score(score: Score) -> tuple[Block, ...]:
    """Take the score of an event apart, as the linear student of the built-in traffic computes it."""
    rows: Rows = [("trigrams", "times", f"adds to {score.over}")]
    for part in score.parts[:PARTS]:
        rows.append((" ".join(map(repr, part.trigrams)), str(part.times), f"{part.adds:+.4f}"))
    rest = score.parts[PARTS:]
    rows.append((f"{len(rest):,} others", f"{sum(p.times for p in rest):,}", f"{sum(p.adds for p in rest):+.4f}"))
    rows.append(("sum", f"{sum(p.times for p in score.parts):,}", f"{score.total:+.4f}"))
    return (
        "The student of the built-in traffic reads trigrams alone and has no hidden layer: there the score itself is "
        f"the sum. {score.text[:LONGEST_SHOWN]!r}, what each trigram adds to the logit of {score.over} less that of "
        "the benign class:",
        Table(tuple(rows)),
        "A sum can be outweighed: ordinary words put beside an attack speak for benign, and what spoke for the attack "
        "is divided by a greater length. Some of the red team's edits do just that.",
    )


def _own(user: UserData) -> tuple[Block, ...]:
    if user.reading is None:
        score = user.score
        return (f"Of {user.name}: of {len(score.parts):,} rows that this event reads, {_decisive(score)}",)
    read = user.reading
    return (f"Of {user.name}, how it reads {read.text[:LONGEST_SHOWN]!r}:", *_tokens(read), *_sums(read.sums))


def _decisive(score: Score) -> str:
    """Say how few parts make up half of what speaks for the attack."""
    positive = sorted((part.adds for part in score.parts if part.adds > 0), reverse=True)
    half, seen, few = sum(positive) / 2, 0.0, 0
    while seen < half:
        seen += positive[few]
        few += 1
    return f"{len(positive):,} speak for {score.over}, and {few:,} of them make up half of that."


def _tokens(read: Reading) -> tuple[Block, ...]:
    if read.tokens is None:
        return ("It has no tokens: it reads n-grams alone.",)
    shown = " ".join(map(repr, read.tokens[:TOKENS])) + (" …" if len(read.tokens) > TOKENS else "")
    return (f"{len(read.tokens):,} tokens, which look at each other: {shown}",)


def _sums(sums: Summed | None) -> tuple[Block, ...]:
    if sums is None:
        return ("It has no table of n-grams: its score is no sum over pieces of the text.",)
    rows: Rows = [("", *(f"column {k}" for k in range(1, len(sums.forward) + 1)))]
    rows.append(("sum of the rows, as in the text", *(f"{n:,}" for n in sums.forward)))
    rows.append(("the same, from its end", *(f"{n:,}" for n in sums.backward)))
    rows.append(("by the root of their number, times the scale", *(f"{x:.5f}" for x in sums.read)))
    height, width = sums.table
    return (
        f"{sums.counted.size:,} bytes are {sums.counted.ngrams:,} n-grams, which read {sums.counted.rows:,} of "
        f"{height:,} rows of {width} weights. The first columns:",
        Table(tuple(rows)),
    )
