"""Ask a full model over HTTP, with timeouts, retries and a circuit breaker.

It is asked as Hugging Face's text-classification servers are (text-embeddings-inference, the inference toolkit):
`{"inputs": ["text", …], "parameters": {"top_k": null}}` is answered by a list of `[{"label": …, "score": …}, …]`, one
for each text, with every class. `overproof serve` answers so at `/predict`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

from overproof.bundle.scores import Floats
from overproof.errors import InputError, MissingExtra
from overproof.inference.cascade.breaker import Breaker
from overproof.inference.cascade.full import Full, FullDown, fault

CONNECT_SECONDS, READ_SECONDS = 2.0, 30.0
RETRIES = 2
TEXTS_PER_CALL = 32
MOST_BYTES = 16 << 20
TOKEN = "OVERPROOF_FULL_TOKEN"
BUSY = (429, 502, 503, 504)


def remote(url: str, classes: Sequence[str], *, breaker: Breaker | None = None, read: float = READ_SECONDS) -> Full:
    """Open a full model behind a URL; a bearer token is taken from the environment's OVERPROOF_FULL_TOKEN.

    Parameters
    ----------
    classes
        The student's: each answer names its labels, and must name no other.
    read
        Seconds an answer may take.

    Raises
    ------
    InputError
        A URL that is none.
    MissingExtra
        If urllib3 is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"--full {url}: expected http://HOST/PATH or https://HOST/PATH")
    # what verdicts and messages say must not carry a password or a key
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    post = _poster(url, shown, read)
    guard = breaker or Breaker()

    def call(texts: Sequence[str]) -> Floats:
        content = post(orjson.dumps({"inputs": list(texts), "parameters": {"top_k": None}}))
        return parsed(content, len(texts), classes, shown)

    def ask(texts: Sequence[str]) -> Floats:
        if not guard.allows():
            raise FullDown(f"{shown}: it failed before and is not asked again yet")
        try:
            parts = [call(texts[i : i + TEXTS_PER_CALL]) for i in range(0, len(texts), TEXTS_PER_CALL)]
        except FullDown:
            guard.failed()
            raise
        guard.succeeded()
        return np.concatenate([np.empty((0, len(classes)), dtype=np.float32), *parts])

    return Full(tuple(classes), ask, shown, resting=lambda: guard.open)


def _poster(url: str, shown: str, read: float) -> Callable[[bytes], bytes]:
    """Make a function that posts JSON to a URL and returns the answer's body; FullDown where there is none."""
    try:
        import urllib3
    except ModuleNotFoundError as error:
        raise MissingExtra(f"--full {url} needs the package urllib3: pip install 'overproof[remote]'") from error
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read),
        # a judgement changes nothing, so that asking twice is safe; redirects would take the events elsewhere
        retries=urllib3.Retry(
            total=RETRIES, redirect=0, backoff_factor=0.2, status_forcelist=BUSY, allowed_methods=None
        ),
    )
    headers = {"content-type": "application/json"}
    if token := os.environ.get(TOKEN):
        headers["authorization"] = f"Bearer {token}"

    def post(body: bytes) -> bytes:
        try:
            answer = pool.request("POST", url, body=body, headers=headers, preload_content=False)
            with answer:
                content = answer.read(MOST_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise FullDown(f"{shown}: {_why(error)}") from None
        if answer.status != 200:
            raise FullDown(f"{shown}: answered {answer.status}")
        return content

    return post


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
            for entry in answer:
                if entry["label"] not in place:
                    raise ValueError(f"label {str(entry['label'])[:60]!r}, which the bundle has no class for")
                found[row, place[entry["label"]]] = entry["score"]
        if wrong := fault(found, count, len(classes)):
            raise ValueError(wrong)
    except (ValueError, TypeError, KeyError) as error:
        raise FullDown(f"{url}: not an answer of a text classifier ({error})") from None
    return found.astype(np.float32)


def _why(error: Exception) -> str:
    """Return the innermost reason of a failed request, without the pool's address in memory."""
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(">: ")[2] or type(reason).__name__
