"""All benchmarks, in order; writes their tables into the README. `make bench`, about two hours on two cores."""

from __future__ import annotations

import shutil
import sys

import accuracy
import field
import foreign
import fusion
import portable
import quantization
import speed
import teachers
import transcript
from settings import DATA, OUT, README, once

BEGIN, END = "<!-- bench: {} -->", "<!-- end -->"


def main() -> int:
    """Measure what has not been measured yet, then write the tables."""
    if not DATA.is_dir():
        print(f"bench: {DATA} is not there; the benchmarks need its real payloads", file=sys.stderr)
        return 2
    if shutil.which(portable.QEMU) is None:
        print(f"bench: {portable.QEMU} is not there; install Debian's qemu-user", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    found = accuracy.measured()
    kinds = {kind: once(f"from-{kind}", lambda kind=kind: teachers.distilled(kind)) for kind in teachers.KINDS}  # type: ignore[misc]
    foreigners = {
        name: once(f"foreign-{place}", lambda name=name: foreign.measured(name))  # type: ignore[misc]
        for place, name in enumerate(foreign.GUARDS)
    }
    strip = accuracy.comparison(accuracy.STUDENT, 0)
    parity = "\n".join(
        f"- seed {seed}, {step['step']}: max |Δlogit| {step['max_difference']:.2g}, "
        f"{step['flips']} of {step['events']:,} verdicts flip"
        for seed, report in zip(accuracy.SEEDS, found["reports"], strict=True)
        for step in report["parity"]
    )
    tables = {
        "strip": strip.to_markdown(),
        "seeds": accuracy.over_seeds(),
        "parity": parity,
        "portable": portable.to_markdown(once("portable", portable.measured)),
        "speed": speed.to_markdown(once("speed", speed.measured)),
        "fusion": fusion.to_markdown(once("fusion", fusion.measured)),
        "quantization": quantization.to_markdown(once("quantization", quantization.measured)),
        "foreign": foreign.to_markdown(foreigners),
        "field": field.to_markdown(once("field", field.measured)),
        "transcript": transcript.to_markdown(once("demo", transcript.measured)),
        "teachers": teachers.to_markdown(kinds),
    }
    text = README.read_text()
    for name, table in tables.items():
        if BEGIN.format(name) not in text:
            raise RuntimeError(f"README.md has no place for the table {name!r}")
        head, _, rest = text.partition(BEGIN.format(name))
        _, _, tail = rest.partition(END)
        text = f"{head}{BEGIN.format(name)}\n{table.strip()}\n{END}{tail}"
    README.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
