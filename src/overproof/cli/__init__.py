"""The command line: parse, call one function of the package, tell the result. No logic lives here.

Everything heavy is imported inside the commands, so that `--help` answers at once and `triage` and `inspect`
work where only the deploy-time half is installed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

import typer
from typer.core import TyperGroup

import overproof
from overproof.cli import options as take
from overproof.errors import InputError, OverproofError
from overproof.progress import printable, terminal

EXIT_BROKEN_PIPE = 141  # what a shell reports for a program that died of SIGPIPE


class _Commands(TyperGroup):
    """The one place where what went wrong becomes a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; a user's mistake ends in one line, never in a traceback."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except OverproofError as error:
            raise _fail(str(error), error.exit_code) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                # What is still buffered would fail again at exit, with a traceback: let it go nowhere.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(EXIT_BROKEN_PIPE) from error
            where = f"{error.filename}: " if error.filename else ""
            raise _fail(f"{where}{error.strerror or error}", 1) from error


def _fail(message: str, code: int) -> typer.Exit:
    typer.echo(f"error: {printable(message)}", err=True)
    return typer.Exit(code)


class _Report(Protocol):
    def to_json(self) -> dict[str, Any]: ...

    def render(self) -> str: ...


def _show(report: _Report, as_json: bool) -> None:
    typer.echo(_json(report.to_json()) if as_json else printable(report.render()))


def _json(value: object) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _line(value: object) -> str:
    import orjson

    return orjson.dumps(value).decode()


def _outline(entries: Mapping[Any, Any], indent: str = "") -> Iterator[str]:
    """Plain JSON as indented lines, for people."""
    for name, entry in entries.items():
        if isinstance(entry, list | tuple) and entry and isinstance(entry[0], Mapping):
            entry = dict(enumerate(entry, 1))
        if isinstance(entry, Mapping):
            yield f"{indent}{name}:"
            yield from _outline(entry, indent + "  ")
        else:
            yield f"{indent}{name}: {', '.join(map(str, entry)) if isinstance(entry, list | tuple) else entry}"


app = typer.Typer(
    name="overproof",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"overproof {overproof.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make a security classifier small and fast, and prove what that cost.

    A large teacher is distilled into a small student; the student is quantized to INT8, compared with its
    teacher and with a linear baseline on your own events, and written as a bundle that runs without torch.

    \b
    See it work on the built-in traffic:
      overproof demo --out out/demo
    On your own events:
      overproof teach train.csv.gz --out teacher
      overproof compress train.csv.gz --teacher teacher --out bundle --evidence evidence
      overproof check bundle mine.csv.gz --full teacher --evidence evidence --out proof
      overproof triage bundle access.csv | jq 'select(.attack > 0.9)'
    """


@app.command()
def demo(
    out: take.DemoOut,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Run the whole job on the built-in traffic.

    Simulates labelled events, trains a teacher, compresses it and reports what that cost. Takes some minutes on
    two cores and downloads nothing. Its figures are those of simulated traffic.

    \b
    Example:
      overproof demo --out out/demo
      overproof inspect out/demo/bundle
    """
    _show(overproof.demo(out, seed=seed, console=terminal()), as_json)


@app.command()
def teach(
    events: take.Events,
    out: take.TeacherOut,
    test: take.Test = None,
    preset: take.Preset = "small-teacher",
    from_checkpoint: take.Checkpoint = None,
    epochs: take.Epochs = None,
    text: take.Text = None,
    label: take.Label = None,
    family: take.Family = None,
    group: take.Group = None,
    time: take.Time = None,
    benign: take.Benign = None,
    rejects: take.Rejects = None,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Train a teacher: the large model that a student learns from.

    \b
    Examples:
      overproof teach train.csv.gz --out teacher
      overproof teach train.csv.gz --from ./MiniLM --epochs 3 --out teacher
    """
    report = overproof.teach(
        events,
        out=out,
        test=test,
        preset=preset,
        from_checkpoint=from_checkpoint,
        epochs=epochs,
        columns=take.columns_of(text, label, family, group, time),
        benign=take.benign_of(benign),
        rejects=rejects,
        seed=seed,
        console=terminal(),
    )
    _show(report, as_json)


@app.command()
def compress(
    events: take.Events,
    teacher: take.Teacher,
    out: take.BundleOut,
    test: take.Test = None,
    unlabelled: take.Unlabelled = None,
    student: take.Student = "tutorial-student",
    temperature: take.Temperature = 2.0,
    hard_weight: take.HardWeight = 0.5,
    transfer: take.Transfer = 0.5,
    epochs: take.Epochs = None,
    text: take.Text = None,
    label: take.Label = None,
    family: take.Family = None,
    group: take.Group = None,
    time: take.Time = None,
    benign: take.Benign = None,
    rejects: take.Rejects = None,
    cache: take.Cache = None,
    precision: take.Precision = "w8a8",
    qat: take.Qat = False,
    max_flips: take.MaxFlips = None,
    max_kl: take.MaxKl = None,
    max_recall_loss: take.MaxRecallLoss = None,
    keep_fp32: take.KeepFp32 = None,
    evidence: take.Evidence = None,
    margin: take.Margin = "0.5%",
    engine: take.Engine = "local",
    address: take.Address = None,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Distil and quantize a teacher into a bundle.

    A small student learns from the teacher's probabilities, is quantized to INT8, and is compared at every step
    with the teacher and with a linear baseline. The bundle runs without torch.

    Guards limit what quantization may cost on validation events: the worst layers stay in float until they hold;
    else the student is trained with the rounding. If one still breaks, the exit code is 1 and the best that was found
    is in BUNDLE.failed.

    \b
    Examples:
      overproof compress train.csv.gz --teacher teacher --out bundle
      overproof compress train.csv.gz --test test.csv.gz --teacher mypackage.model:pipeline --out bundle
      overproof compress train.csv.gz --teacher teacher@2 --teacher ./MiniLM@1 --out bundle
      overproof compress train.csv.gz --teacher teacher --precision w4a8 --qat --max-recall-loss sqli=1% --out bundle
    """
    report = overproof.compress(
        events,
        teacher=teacher,
        out=out,
        test=test,
        unlabelled=unlabelled,
        student=student,
        temperature=temperature,
        hard_weight=hard_weight,
        transfer=transfer,
        epochs=epochs,
        columns=take.columns_of(text, label, family, group, time),
        benign=take.benign_of(benign),
        rejects=rejects,
        cache=cache,
        keep_fp32=keep_fp32,
        evidence=evidence,
        margin=take.share_of("--margin", margin),
        precision=precision,
        guards=take.guards_of(max_flips, max_kl, max_recall_loss),
        qat=qat,
        engine=engine,
        address=address,
        seed=seed,
        console=terminal(),
    )
    _show(report, as_json)
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def quantize(
    model: take.Quantizable,
    calibrate: take.Calibrate,
    out: take.QuantizedOut,
    precision: take.Precision = "w8a8",
    observer: take.Observer = "minmax",
    max_flips: take.MaxFlips = None,
    max_kl: take.MaxKl = None,
    max_recall_loss: take.MaxRecallLoss = None,
    qat: take.Qat = False,
    teacher: take.QatTeacher = None,
    test: take.Test = None,
    text: take.Text = None,
    label: take.Label = None,
    family: take.Family = None,
    benign: take.Benign = None,
    rejects: take.Rejects = None,
    cache: take.Cache = None,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Quantize a bundle or any ONNX classifier, and keep in float what the guards cannot bear.

    Part of the events fixes the ranges of activations; on the others every layer is measured, alone and left out.
    Where a guard breaks, the worst layers stay in float until none does. Ends with exit code 1 if some guard does not
    hold; the best that was found is then in OUT.failed.

    \b
    Examples:
      overproof quantize teacher --calibrate train.csv.gz --out teacher-int8
      overproof quantize waf.onnx --calibrate requests.jsonl --max-flips 0.1% --max-recall-loss sqli=1% --out waf-int8
      overproof quantize flows.onnx --calibrate flows.csv --precision w4a8 --max-kl 0.001 --out flows-int4
    """
    report = overproof.quantize(
        model,
        calibrate_on=calibrate,
        out=out,
        precision=precision,
        observer=observer,
        guards=take.guards_of(max_flips, max_kl, max_recall_loss),
        qat=qat,
        teacher=teacher,
        test=test,
        columns=take.columns_of(text, label, family, None, None),
        benign=benign,
        rejects=rejects,
        cache=cache,
        seed=seed,
        console=terminal(),
    )
    _show(report, as_json)
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def check(
    bundle: take.Bundle,
    events: take.CheckedEvents,
    full: take.Full = None,
    evidence: take.KeptEvidence = None,
    out: take.CheckOut = None,
    gate: take.GateFile = None,
    init_gate: take.InitGate = None,
    hold_out: take.HoldOut = None,
    retrain_from: take.RetrainFrom = None,
    epochs: take.Epochs = None,
    events_per_day: take.EventsPerDay = None,
    prevalence: take.Prevalence = None,
    budget: take.Budget = "5%",
    i_know: take.IKnow = False,
    text: take.Text = None,
    label: take.Label = None,
    family: take.Family = None,
    group: take.Group = None,
    time: take.Time = None,
    rejects: take.Rejects = None,
    cache: take.Cache = None,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Prove what a bundle lost against the full model: may it be deployed, where, and with what in reserve?

    Six checks on your own labelled events: own data, calibration, rare and edge cases, robustness at the boundary,
    misses and false positives against the full model on held-out threats, escalation. Each ends in passed, failed or
    unmeasured, with the reason and how many events it would take. Exit code 1 if a gate is closed.

    \b
    Examples:
      overproof check --init-gate gates.toml
      overproof check bundle mine.csv.gz --full teacher --evidence evidence --gate gates.toml --out proof
      overproof check bundle mine.csv.gz --full teacher --evidence evidence --hold-out all-rare --out proof
      overproof check bundle mine.csv.gz --full ./MiniLM --events-per-day 2e6 --prevalence 0.1% --json
    """
    report = overproof.check(
        bundle,
        events,
        full=full,
        evidence=evidence,
        out=out,
        gate=gate,
        hold_out=hold_out or (),
        retrain_from=retrain_from,
        epochs=epochs,
        events_per_day=events_per_day,
        prevalence=None if prevalence is None else take.share_of("--prevalence", prevalence),
        budget=take.share_of("--budget", budget),
        i_know=i_know,
        columns=take.columns_of(text, label, family, group, time),
        rejects=rejects,
        cache=cache,
        seed=seed,
        console=terminal(),
    )
    _show(report, as_json)
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def triage(
    bundle: take.Bundle,
    sources: take.Sources = None,
    full: take.InReserve = None,
    check: take.Guarantee = None,
    max_escalations: take.MaxEscalations = "5%",
    on_full_down: take.OnFullDown = "hold",
    never_alone: take.NeverAlone = None,
    out: take.VerdictsOut = "-",
    to: take.To = None,
    format: take.Format = "auto",
    text: take.Text = None,
    follow: take.Follow = False,
    workers: take.Workers = 1,
    engine: take.Engine = "local",
    address: take.Address = None,
    min_severity: take.MinSeverity = "informational",
    top: take.TopCount = None,
    group_similar: take.GroupSimilar = False,
    with_text: take.WithText = False,
    rejects: take.Rejects = None,
    as_json: take.AsJson = False,
) -> None:
    """Judge events with a bundle; what it cannot be trusted with goes to the full model.

    A verdict keeps both answers, who decided and why (docs/verdict-schema.md); verdicts come in the order of the
    events. Memory stays flat on any length of input. A run into a FILE that was killed goes on where it stood when it
    is started again. A summary goes to standard error, or with --out FILE to standard output.

    \b
    Examples:
      overproof triage bundle access.log capture.pcap conn.log > verdicts.jsonl
      overproof triage bundle eve.json.gz --full teacher --check proof/check.json --to ocsf --out findings.jsonl
      overproof triage bundle pool.parquet --workers 2 --out verdicts.parquet
      overproof triage bundle --follow /var/log/nginx/access.log | jq 'select(.attack > 0.9)'
    """
    from overproof.jobs.deploy import triage as run

    summary = run(
        bundle,
        sources or ["-"],
        full=full,
        check=check,
        max_escalations=max_escalations,
        on_full_down=on_full_down,
        never_alone=never_alone or (),
        out=out,
        to=to,
        columns=take.columns_of(text, None, None, None, None),
        format=format,
        follow=follow,
        workers=workers,
        engine=engine,
        address=address,
        min_severity=min_severity,
        top=top,
        group_similar=group_similar,
        with_text=with_text,
        rejects=rejects,
        console=terminal(),
    )
    if out == "-":
        terminal().say(summary.render())
    else:
        _show(summary, as_json)


@app.command()
def serve(
    bundle: take.Bundle,
    full: take.InReserve = None,
    check: take.Guarantee = None,
    max_escalations: take.MaxEscalations = "5%",
    on_full_down: take.OnFullDown = "hold",
    never_alone: take.NeverAlone = None,
    index: take.KnownEvents = None,
    host: take.Host = "127.0.0.1",
    port: take.Port = 8080,
    token_file: take.TokenFile = None,
) -> None:
    """Judge events over HTTP: /judge, /predict, /embed, /similar, /metrics, and a page at /.

    Answers this machine alone, unless there is a token (in OVERPROOF_TOKEN, or --token-file). SIGHUP opens the bundle
    again, if its hashes verify; SIGTERM finishes what was accepted.

    \b
    Examples:
      overproof serve bundle --full teacher --check proof/check.json --index known.index
      curl -s localhost:8080/judge -H 'content-type: application/json' -d '{"text": "id=1 or 1=1--"}'
    """
    from overproof.jobs.deploy import serve as answer

    answer(
        bundle,
        full=full,
        check=check,
        max_escalations=max_escalations,
        on_full_down=on_full_down,
        never_alone=never_alone or (),
        index=index,
        host=host,
        port=port,
        token_file=token_file,
        console=terminal(),
    )


@app.command()
def index(
    bundle: take.Bundle,
    events: take.Sources,
    out: take.IndexOut,
    text: take.Text = None,
    label: take.Label = None,
    family: take.Family = None,
    format: take.Format = "auto",
    rejects: take.Rejects = None,
    as_json: take.AsJson = False,
) -> None:
    """Index known events by a bundle's embeddings, to ask later what an event resembles.

    \b
    Example:
      overproof index bundle known.csv.gz --out known.index
      overproof similar bundle known.index "id=1' or 1=1--"
    """
    from overproof.inference.similarity.build import build_index

    with overproof.Rejects(rejects) as skipped:
        written = build_index(
            bundle,
            list(events or ["-"]),
            out,
            columns=take.columns_of(text, label, family, None, None),
            format=format,
            rejects=skipped,
            console=terminal(),
        )
    _show(written, as_json)
    if skipped.total:
        terminal().say(str(skipped))


@app.command()
def similar(
    bundle: take.Bundle,
    index: take.Index,
    event: take.Asked = None,
    count: take.Neighbours = 10,
    events: take.AskedFiles = None,
    format: take.Format = "auto",
    as_json: take.AsJson = False,
) -> None:
    """Tell which known events are most like an event.

    \b
    Examples:
      overproof similar bundle known.index "id=1' or 1=1--"
      overproof similar bundle known.index --events new.jsonl --json | jq .families
    """
    from overproof.inference.similarity.search import search, search_files

    with overproof.Rejects() as skipped:
        if event is not None:
            found = iter(search(bundle, index, event, count))
        else:
            found = search_files(bundle, index, events or ["-"], count, format=format, on_skip=skipped)
        for one in found:
            typer.echo(_line(one.to_json()) if as_json else one.render())
    if skipped.total:
        terminal().say(str(skipped))


@app.command()
def inspect(
    bundle: take.Bundle,
    layer: take.Layer = None,
    layers: take.Layers = False,
    sensitivity: take.Sensitivity = False,
    svg: take.Svg = None,
    as_json: take.AsJson = False,
) -> None:
    """Verify a bundle, and tell what is in it.

    Every file's hash is checked before anything is read; then the manifest tells where the bundle came from.
    --layers and --layer tell what quantization did to the weights, and how the activations of held-back events,
    benign ones and attacks apart, fit their grids. --sensitivity tells what every layer costs in verdicts. All three
    also read the folder that `overproof quantize` wrote for an ONNX file, which is not sealed.

    \b
    Examples:
      overproof inspect bundle --json | jq .manifest.teacher
      overproof inspect bundle --layers
      overproof inspect bundle --layer head.weight --svg head.svg
      overproof inspect bundle --sensitivity --svg sensitivity.svg
    """
    if sensitivity and (layer or layers):
        raise InputError("--sensitivity is told of all layers: expected it without --layer and --layers")
    if sensitivity:
        from overproof.results.precision_search import look_at as look_at_cost

        _show(look_at_cost(bundle, svg, terminal()), as_json)
        return
    if layer or layers or svg:
        from overproof.results.layers import look_at

        _show(look_at(bundle, layer, svg, terminal()), as_json)
        return
    from overproof.bundle.manifest import inspect as look_into
    from overproof.results import Comparison

    contents = look_into(bundle)
    if as_json:
        typer.echo(_json(contents))
        return
    comparison = contents.pop("comparison")
    typer.echo(printable("\n".join(_outline(contents))))
    if comparison is not None:
        typer.echo("\n" + printable(Comparison.from_json(comparison).render()), nl=False)


@app.command()
def lesson(
    bundle: take.LessonBundle = None,
    html: take.Html = None,
    seed: take.Seed = 0,
    as_json: take.AsJson = False,
) -> None:
    """Walk through distillation and quantization, step by step.

    Every number is computed by the functions that compress models, first on the tutorial's packets and its nine
    weights, then on your bundle or on the built-in traffic. `--html` writes one offline page with live controls.

    \b
    Examples:
      overproof lesson | less
      overproof lesson --bundle bundle --html lesson.html
    """
    from overproof.lesson import walk
    from overproof.lesson.page import write_page

    walked = walk(bundle, seed=seed)
    if html is not None:
        write_page(walked, html)
        terminal().say(f"Lesson: {html}")
    if as_json or html is None:
        _show(walked, as_json)


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    app()
