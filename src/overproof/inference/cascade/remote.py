"""Ask a full model over HTTP, within one time for every call (`http_call`); `guard` has the circuit breaker.

It is asked as Hugging Face's text-classification servers are (text-embeddings-inference, the inference toolkit):
`{"inputs": ["text", …], "parameters": {"top_k": null}}` is answered by a list of `[{"label": …, "score": …}, …]`, one
for each text, with every class. `overproof serve` answers so at `/predict`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import numpy as np
import orjson

from overproof.bundle.scores import Floats
from overproof.errors import InputError, MissingExtra
from overproof.inference.cascade.full import Full, FullDown, fault
from overproof.inference.cascade.guard import CALL_SECONDS, TEXTS_PER_CALL

TOKEN = "OVERPROOF_FULL_TOKEN"


def remote(url: str, classes: Sequence[str], *, seconds: float = CALL_SECONDS) -> Full:
    """Open a full model behind a URL; a bearer token is taken from the environment's OVERPROOF_FULL_TOKEN.

    Parameters
    ----------
    classes
        The student's: each answer names its labels, and must name no other.
    seconds
        That a call of `TEXTS_PER_CALL` texts may take, all attempts included.

    Raises
    ------
    InputError
        A URL that is none.
    MissingExtra
        If urllib3 is not installed.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"--full {url}: expected http://HOST/PATH or https://HOST/PATH")
    # what verdicts and messages say must not carry a password or a key
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    post = _poster(url, shown, seconds)

    def call(texts: Sequence[str]) -> Floats:
        content = post(orjson.dumps({"inputs": list(texts), "parameters": {"top_k": None}}))
        return parsed(content, len(texts), classes, shown)

    def ask(texts: Sequence[str]) -> Floats:
        parts = [call(texts[i : i + TEXTS_PER_CALL]) for i in range(0, len(texts), TEXTS_PER_CALL)]
        return np.concatenate([np.empty((0, len(classes)), dtype=np.float32), *parts])

    return Full(tuple(classes), ask, shown)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None of one that leads nowhere: a port that is none, half an IPv6 address, a blank."""
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 or any(c.isspace() for c in parts.netloc) else parts
    except ValueError:
        return None


def _poster(url: str, shown: str, seconds: float) -> Callable[[bytes], bytes]:
    try:
        from overproof.inference.cascade.http_call import poster
    except ModuleNotFoundError as error:
        if error.name != "urllib3":
            raise
        raise MissingExtra(f"--full {url} needs the package urllib3: pip install 'overproof[remote]'") from error
    headers = {"content-type": "application/json"}
    if token := os.environ.get(TOKEN):
        headers["authorization"] = f"Bearer {token}"
    return poster(url, shown, headers, seconds)


def parsed(content: bytes, count: int, classes: Sequence[str], url: str) -> Floats:
    """Read the probabilities of a text-classification answer, shape (count, classes).

    Raises
    ------
    FullDown
        If the answer is no such thing: it is not trusted, so there is none.
    """
    try:
        answers: Any = orjson.loads(content)
        if len(answers) != count:
            raise ValueError(f"{len(answers)} answers to {count} texts")
        place = {name: i for i, name in enumerate(classes)}
        found = np.zeros((count, len(classes)))
        for row, answer in enumerate(answers):
            given = [(entry["label"], entry["score"]) for entry in answer]
            for label, score in given:
                if label not in place:
                    raise ValueError(f"label {str(label)[:60]!r}, which the bundle has no class for")
                if type(score) not in (int, float):
                    raise ValueError(f"a score that is no number: {str(score)[:60]!r}")
                found[row, place[label]] = score
            if len({label for label, _ in given}) < len(given):
                raise ValueError("a label twice for one text")
        if wrong := fault(found, count, len(classes)):
            raise ValueError(wrong)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FullDown(f"{url}: not an answer of a text classifier ({error})") from None
    return found.astype(np.float32)
