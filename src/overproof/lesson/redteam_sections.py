"""Put the red team's step into a section: an edit that falls between the lines of the grid."""

from __future__ import annotations

from dataclasses import replace

from overproof.lesson.blocks import Block, Drawing, Rows, Section, Table
from overproof.lesson.grid_edits import ATTACK, BITS, GridEdit, GridEdits
from overproof.lesson.miniature import WEIGHTS
from overproof.lesson.user_data import UserData

LONGEST = 400  # characters of an event that is shown


def redteam_section(user: UserData) -> Section:
    """Return the section: what was found on the built-in traffic, and what a bundle says of its own rounding."""
    found = user.grid_edits
    return Section(
        "redteam",
        "An edit that falls between the lines",
        (
            "Rounding moves every weight a little, so FP32 and INT8 do not draw the border between benign and attack "
            "at the same place. An event that lies between the two borders is an attack to one and benign to the "
            "other. Hardly any does by chance; an attacker edits, without changing what the event does, until one is "
            "there.",
            f"The red team's edits, on {found.events:,} simulated attacks and the student of the built-in traffic: "
            f"{found.edited:,} edited events, and what its weights make of them at each number of bits. The last "
            "column counts edited attacks that FP32 detects and the rounded weights call benign, though both detected "
            "what they were made of.",
            _counts(found),
            *(_example(found.shown[0]) if found.shown else ("No edit fell between the two.",)),
        ),
        _own(user),
    )


def _counts(found: GridEdits) -> Table:
    rows: Rows = [("bits", "events judged apart", "edited judged apart", "new evasions")]
    for at in found.at_bits:
        rows.append((str(at.bits), f"{at.parted:,}", f"{at.parted_edited:,}", f"{at.found:,}"))
    return Table(tuple(rows))


def _example(edit: GridEdit) -> tuple[Block, ...]:
    rows: Rows = [("", "P(attack) in FP32", f"in {_name(edit.bits)}")]
    for name, both in (("before", edit.before), ("edited", edit.after)):
        rows.append((name, *(f"{p:.5f} {'attack' if p > ATTACK else 'benign'}" for p in both)))
    return (
        f"One of them, in {len(edit.steps)} edit{'s' * (len(edit.steps) != 1)} ({', '.join(edit.steps)}); {edit.how}:",
        Drawing(f"  before  {edit.original[:LONGEST]}\n  edited  {edit.edited[:LONGEST]}"),
        Table(tuple(rows)),
    )


def _own(user: UserData) -> tuple[Block, ...]:
    if user.bundle is None:
        most, least = (f"{replace(WEIGHTS, bits=at).limits[1]} at {at} bits" for at in (BITS[0], BITS[-1]))
        return (f"Of {user.name}: the weights above are {user.tensor}; steps either way: {most}, {least}.",)
    if not user.parity:
        return (f"Of {user.name}: its manifest does not say what rounding changed.",)
    return (
        f"Of {user.name}: verdicts that flipped at each step of the conversion, on events that nobody edited:",
        Drawing("\n".join(user.parity)),
    )


def _name(bits: int) -> str:
    return f"INT{bits}"
