"""Hold every teacher to one contract, whatever its kind: names of classes, rows of numbers, code that is not ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.distillation.teachers.foreign_output import on_standard_error
from overproof.distillation.teachers.foreign_state import undisturbed
from overproof.errors import InputError, OverproofError
from overproof.events.spellings import alike, near, plain_name
from overproof.files import is_utf8

SUM_TOLERANCE = 0.02  # of a row's sum: probabilities written with two digits, or rounded to INT8, still are some
STEP = 1 / 256  # of a probability in INT8; each is off by half of it at most
SLACK = 1e-6  # below 0, as float16 and sums in another order leave it

SINGLE_LABEL = "single_label_classification"


def require_classes(classes: Sequence[str], where: str) -> None:
    """Require at least two class names, none empty, none twice, and no two that nearly are one.

    Raises
    ------
    InputError
        Naming the classes that do not fit.
    """
    if len(classes) < 2:
        raise InputError(
            f"{where}: {len(classes)} class{'es' * (not classes)}{f' ({classes[0]})' if classes else ''}, expected two "
            "or more; a model of one output (a sigmoid, a regression) has to name both of its classes"
        )
    seen: dict[str, str] = {}
    for name in classes:
        if not name.strip():
            raise InputError(f"{where}: a class is named {name!r}, expected a name")
        if not is_utf8(name):
            raise InputError(f"{where}: a class is named {name!r}, which is no text in UTF-8; expected a name that is")
        first = seen.setdefault(plain_name(name), name)
        if name == first and list(classes).count(name) > 1:
            raise InputError(f"{where}: the class {name!r} stands twice, expected each name once")
        if name != first:
            raise InputError(f"{where}: classes {first!r} and {name!r} {alike(first, name)}; expected one")


def require_single_label(config: Mapping[str, object], where: str) -> None:
    """Refuse a classifier whose numbers are no distribution, by what Hugging Face's config.json says of it.

    Raises
    ------
    InputError
        Its `problem_type` is another than that of one label an event, or what it is followed by is a sigmoid.
    """
    problem, encoder = config.get("problem_type"), config.get("sentence_transformers")
    followed = {name: config.get(name) for name in ("function_to_apply", "sbert_ce_default_activation_function")}
    followed["sentence_transformers"] = encoder.get("activation_fn") if isinstance(encoder, dict) else None
    for name, function in followed.items():
        if isinstance(function, str) and "sigmoid" in function.lower():
            raise InputError(
                f"{where}: {name} is {function[:60]!r}: its outputs are independent of each other, no distribution "
                "over the classes; expected a softmax, or none"
            )
    if problem not in (None, SINGLE_LABEL):
        raise InputError(
            f"{where}: problem_type is {repr(problem)[:60]}: its outputs are independent of each other, no "
            f"distribution over the classes; expected {SINGLE_LABEL}"
        )


def require_no_near(names: Sequence[str], labels: Sequence[str], where: str) -> None:
    """Require that no label (or class of another model) nearly equals a class: it would become one beside it.

    Raises
    ------
    InputError
        Naming each pair.
    """
    if pairs := near(names, labels):
        listed = ", ".join(f"{name!r} and {label!r} {alike(name, label)}" for name, label in pairs)
        raise InputError(
            f"{where}: names {listed}; expected the same in model "
            "(labels.json, config.json), the events and the bundle; "
            f"names:{','.join(f'{name}={label}' for name, label in pairs)}:TEACHER takes them for one"
        )


def tolerance(classes: int) -> float:
    """Return how far from 1 a row of so many probabilities may add up to: what INT8 rounds off, or two digits."""
    return max(SUM_TOLERANCE, classes * STEP / 2 + SLACK)


def broken_rows(values: NDArray[np.floating[Any]], most: float | None = None) -> NDArray[np.intp]:
    """Find the rows that are no distributions: not finite, below 0, or with a sum farther from 1 than `most`.

    Parameters
    ----------
    values
        Shape (n, classes).
    most
        By default `tolerance`.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(values.astype(np.float64).sum(axis=1) - 1)
        limit = tolerance(values.shape[1]) if most is None else most
        fits = np.isfinite(values).all(axis=1) & (values >= -SLACK).all(axis=1) & (off <= limit)
    return np.flatnonzero(~fits)


@contextmanager
def foreign(where: str, doing: str) -> Iterator[None]:
    """Run code that is not ours: whatever it raises becomes an InputError of one line, an exit of the program too.

    Ctrl-C goes on, and so does a lack of memory, which is the machine's. What it prints goes to standard error, and
    what it changes of the process is put back (`foreign_state.undisturbed`).

    Parameters
    ----------
    where, doing
        Which model, and what it was asked for: both begin the message.
    """
    try:
        with on_standard_error(), undisturbed():
            yield
    except (OverproofError, KeyboardInterrupt, MemoryError):
        raise
    except SystemExit as ended:
        code = "" if ended.code is None else f" ({first_line(ended) or ended.code})"
        raise InputError(f"{where}: {doing}: it ended the program{code}; expected it to return") from ended
    except BaseException as error:
        raise InputError(f"{where}: {doing}: {type(error).__name__}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, cut to 300 characters."""
    try:
        text = str(error).strip()
    except Exception:  # its own text may be what fails
        text = ""
    return text.splitlines()[0][:300] if text else "without a word"
