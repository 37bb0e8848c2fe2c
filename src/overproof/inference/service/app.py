"""Define the endpoints of the service, one function each."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from overproof.inference.cascade import FullDown
from overproof.inference.service import questions, schemas
from overproof.inference.service.access import AccessPolicy
from overproof.inference.service.batch_queue import Busy
from overproof.inference.service.limits import Limits
from overproof.inference.service.middleware import TRUSTED, RequestMeter, RequestMiddleware
from overproof.inference.service.reference import reference
from overproof.inference.service.service import NotGiven, Service
from overproof.version import __version__

ASSETS = files("overproof.inference.service")
SCRIPT = "text/javascript; charset=utf-8"
PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", SCRIPT),
    "/page_parts.js": ("page_parts.js", SCRIPT),
    "/page_verdict.js": ("page_verdict.js", SCRIPT),
}
MISTAKES = 3  # that one answer names
NO_TELEMETRY: Any = dict.fromkeys(("auto_configure", "tracing", "metrics", "logs", "operation_spans"), False)
REASONS = {
    400: "not JSON",
    401: "no token, or a wrong one",
    403: "a page of another origin asked",
    408: "the body came too slowly",
    413: "too many bytes, events or characters",
    415: "no Content-Type: application/json, or a compressed body",
    422: "JSON that is not a request",
    429: "too many events are waiting, or too many bytes in work: come again",
    501: "the service has not what that needs",
    503: "the service is ending, or the full model is down",
    504: "no answer in time",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.Problem, "description": description} for code, description in REASONS.items()
}


def create_app(service: Service, *, token: str | None = None) -> FastAPI:
    """Create the ASGI application; its lifespan starts and ends the service's threads.

    Parameters
    ----------
    token
        Expected of every request; None only where nobody else reaches the service.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="overproof",
        summary="Verdicts of a compressed security classifier, with a full model in reserve.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # it loads its scripts from elsewhere: /docs is a page of our own
        redoc_url=None,
        redirect_slashes=False,  # to where the Host header says, which is the client's to choose
        responses=PROBLEMS,
        telemetry=NO_TELEMETRY,  # it can be switched on from the environment, with the bodies of requests
    )
    _judging(app, service)
    _looking_up(app, service)
    _running(app, service)
    _page(app)
    _problems(app)
    app.add_middleware(
        RequestMiddleware,
        access=AccessPolicy(token),
        limits=service.limits,
        meter=RequestMeter(
            service.metrics.request, frozenset(route.path for route in app.routes if hasattr(route, "path"))
        ),
        stopping=lambda: service.stopping,
    )
    return app


def _judging(app: FastAPI, service: Service) -> None:
    @app.post("/judge", response_model=schemas.Verdict | schemas.ExplainedVerdict | schemas.Verdicts)
    async def judge(body: questions.Question) -> Response:
        """Judge one event (answered by its verdict) or many (answered by `verdicts`).

        With `explain` each verdict has `spans`, or the reason why there are none (`unexplained`).
        """
        events = questions.events_of(body)
        found = await service.judge(_within(service.limits, [text for text, _ in events]), explain=body.explain)
        verdicts = [
            {"origin": origin or f"request:{i}", "source": "request", "time": None, **verdict}
            for i, ((_, origin), verdict) in enumerate(zip(events, found, strict=True), 1)
        ]
        return _json(verdicts[0] if questions.is_one(body) else {"verdicts": verdicts})

    @app.post("/predict", response_model=list[list[schemas.Score]])
    async def predict(body: questions.Predict) -> Response:
        """Return the final probabilities, as a text classifier of Hugging Face's kind: the likeliest label first.

        Where nobody decided they are the student's; what is held for a full model that is down, and what the student
        has no numbers for, is answered by 503, since this format cannot say so.
        """
        verdicts = await service.judge(_texts(service.limits, body.inputs))
        for verdict in verdicts:
            if verdict["status"] == "held" or verdict["attack"] is None:
                raise FullDown(verdict["reason"])
        return _json([_scores(verdict)[: body.parameters.top_k] for verdict in verdicts])


def _looking_up(app: FastAPI, service: Service) -> None:
    @app.post("/embed", response_model=list[list[float]])
    async def embed(body: questions.Embed) -> Response:
        """Return embeddings of length 1: near ones mean much the same to the student."""
        return _json([row.tolist() for row in await service.embed(_texts(service.limits, body.inputs))])

    @app.post("/similar", response_model=list[schemas.Found])
    async def similar(body: questions.Question) -> Response:
        """Find the known events nearest to each event: a list, in the order of the events."""
        texts = _within(service.limits, [text for text, _ in questions.events_of(body)])
        return _json(await service.similar(texts, body.count, all_kinds=body.all_kinds))

    @app.post("/windows", response_model=schemas.Windows)
    async def windows(body: questions.Event) -> Response:
        """Show how the student reads an event: its windows, their tokens, and which one decides."""
        return _json(await service.look(_within(service.limits, [body.text])[0]))


def _running(app: FastAPI, service: Service) -> None:
    @app.head("/healthz", include_in_schema=False)  # as load balancers probe
    @app.get("/healthz", response_model=dict[str, bool])
    async def healthz() -> Response:
        """Say that the process answers."""
        return _json({"alive": True})

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", response_model=schemas.Ready)
    async def readyz(request: Request) -> Response:
        """Say whether requests are taken: 503 before the threads run and once the service is ending."""
        status = service.status()
        shown = status if request.scope[TRUSTED] else {"ready": status["ready"]}
        return _json(shown, 200 if status["ready"] else 503)

    @app.get("/card", response_model=schemas.Card)
    async def card() -> Response:
        """Say what the bundle in service is: what it was made from, and what decides its verdicts."""
        return _json(service.card())

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return counters and histograms in Prometheus's text format."""
        return Response(service.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _page(app: FastAPI) -> None:
    def asset(name: str, kind: str) -> Callable[[], Any]:
        content = (ASSETS / name).read_bytes()

        async def answer() -> Response:
            return Response(content, media_type=kind)

        return answer

    for path, (name, kind) in PAGE.items():
        app.get(path, include_in_schema=False)(asset(name, kind))

    written = cache(lambda: reference(app.openapi()))  # once, when somebody wants it

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(written(), media_type=PAGE["/"][1])


def _problems(app: FastAPI) -> None:
    def problem(status: int, headers: dict[str, str] | None = None) -> Callable[[Request, Exception], Any]:
        async def answer(_: Request, error: Exception) -> Response:
            return _json({"detail": str(error)}, status, headers)

        return answer

    come_again = {"retry-after": "1"}
    app.add_exception_handler(Busy, problem(429, come_again))
    app.add_exception_handler(FullDown, problem(503, come_again))
    app.add_exception_handler(NotGiven, problem(501))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _json({"detail": _why(error)}, 422)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        return _json({"detail": str(error.detail)}, error.status_code, dict(error.headers or {}))

    async def failed(_: Request, error: Exception) -> Response:
        return _json({"detail": "internal error; the service's log has it"}, 500)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StarletteHTTPException, refused)
    app.add_exception_handler(Exception, failed)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def _texts(limits: Limits, inputs: str | list[str]) -> list[str]:
    return _within(limits, [inputs] if isinstance(inputs, str) else inputs)


def _within(limits: Limits, texts: list[str]) -> list[str]:
    if len(texts) > limits.events:
        raise HTTPException(413, f"{len(texts):,} events, expected no more than {limits.events:,} in a request")
    for i, text in enumerate(texts, 1):
        if len(text) > limits.characters:
            raise HTTPException(
                413, f"event {i} has {len(text):,} characters, expected no more than {limits.characters:,}"
            )
    return texts


def _scores(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    final = verdict["full"] if verdict["decided_by"] == "full" else verdict["student"]
    ordered = sorted(final["probabilities"].items(), key=lambda pair: -pair[1])
    return [{"label": label, "score": score} for label, score in ordered]


def _why(error: RequestValidationError) -> str:
    """Name the first few mistakes, each with its place; never what was sent, which may be anything."""
    mistakes: list[str] = []
    for one in error.errors():
        steps = [str(step) for step in one["loc"][1:]]
        # what pydantic calls the members of a union is no place in the request
        place = [
            step for i, step in enumerate(steps) if step not in ("event", "str", *steps[:i][-1:]) and "[" not in step
        ]
        where = re.sub(r"[^\w.\-]", "?", ".".join(place))[:100]
        what = one["msg"].removeprefix("Value error, ")
        mistakes.append(f"{where}: {what}" if where else what)
    mistakes = list(dict.fromkeys(mistakes))[:MISTAKES]
    return "; ".join(mistakes)
