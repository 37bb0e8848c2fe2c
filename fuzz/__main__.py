"""Run the fuzzer, or try one input again: `python -m fuzz --help`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fuzz.report import Report
from fuzz.run import Settings, input_of, kept, run
from fuzz.targets import TARGETS
from fuzz.worker import tried
from overproof.errors import InputError


def main(given: list[str]) -> int:
    """Return 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz whatever overproof reads.")
    parser.add_argument("--seed", type=int, default=0, help="with its number it makes an input")
    parser.add_argument("--inputs", type=int, help="how many to try, with --resume in all")
    parser.add_argument("--minutes", type=float, help="how long to try, by the clock")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be given again")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="folder for findings and their inputs")
    parser.add_argument("--resume", action="store_true", help="go on with the runs in --out: their counts are added up")
    parser.add_argument("--report", type=Path, help="write what came of it as JSON")
    parser.add_argument("--replay", help="try one input again: its number (with --seed), or the folder it was kept in")
    options = parser.parse_args(given)
    targets = {name: target for name, target in TARGETS.items() if not options.target or name in options.target}
    if options.replay is not None:
        return _replay(options.replay, options.seed, targets)
    if options.inputs is None and options.minutes is None:
        parser.error("expected --inputs or --minutes")
    seconds = None if options.minutes is None else options.minutes * 60
    settings = Settings(options.seed, options.inputs, seconds, options.workers, options.out, options.resume)
    try:
        report = run(settings, targets)
    except InputError as error:
        parser.error(str(error))
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(asdict(report), indent=1))
    _say(report, options.out)
    return 1 if report.findings else 0


def _say(report: Report, out: Path) -> None:
    for found in report.findings:
        print(
            f"{found['target']}: {found['kind']}: {found['place']} ({found['times']} times, first as {found['number']})"
        )
        print("  " + found["detail"].strip().replace("\n", "\n  "))
    inputs, core = sum(report.inputs.values()), sum(report.core_seconds.values())
    print(
        f"{inputs:,} inputs, {report.seconds:,.0f} s, {inputs / max(core, 1e-9):,.0f} inputs per second of a core, ",
        end="",
    )
    print(
        f"{report.runs} runs, {len(report.findings)} findings"
        + (f"; their inputs are in {out}" if report.findings else "")
    )


def _replay(what: str, seed: int, targets: dict) -> int:  # type: ignore[type-arg]
    if what.isdigit():
        target, files = input_of(int(what), seed, targets)
    else:
        name, files = kept(Path(what))
        target = TARGETS[name]
    found = tried(target, files)
    print("nothing is wrong" if found is None else f"{found.kind}: {found.place}\n{found.detail}")
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
