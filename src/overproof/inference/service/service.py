"""Run the service itself, without HTTP: texts in, verdicts out, for many at once. Read this file first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from overproof.bundle.scores import Floats
from overproof.errors import OverproofError
from overproof.inference.cascade import Cascade, FullDown
from overproof.inference.exceptions import Silencer
from overproof.inference.service.batch_queue import BatchQueue, Busy, Call
from overproof.inference.service.card import card
from overproof.inference.service.explaining import explained
from overproof.inference.service.limits import Limits
from overproof.inference.service.loaded_bundle import Escalated, LoadedBundle, Verdict
from overproof.inference.service.metrics import Metrics
from overproof.inference.sinks.fields import is_alert
from overproof.progress import SILENT, Console


class NotGiven(OverproofError):
    """The service was started without what an endpoint needs; its text says what."""


class Service:
    """A bundle that answers concurrent requests.

    Four queues: the student scores what is waiting in one call; the full model is asked by threads of its own, a
    request at a time, so that no other request waits for it; what is looked up or explained takes neither's time.

    Parameters
    ----------
    open_cascade
        Opens the bundle with its policy and full model; called again for each reload.
    index
        Folder of the known events.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        If bundle, full model or index cannot be opened.
    """

    def __init__(
        self,
        open_cascade: Callable[[], Cascade],
        *,
        index: Path | None = None,
        limits: Limits | None = None,
        console: Console = SILENT,
    ) -> None:
        self.limits = limits or Limits()
        self.stopping = False
        self._open: Callable[[], LoadedBundle] = lambda: LoadedBundle(
            open_cascade().within(self.limits.full_seconds), index
        ).tried()
        self._say = console.say
        self._loaded = self._open()
        self._reloading: asyncio.Task[None] | None = None
        self._again = False
        self._queues: dict[str, BatchQueue] = {}
        self.metrics = Metrics(self._gauges)

    async def start(self) -> None:
        """Start the threads; in the event loop that requests come from."""
        limits, measure = self.limits, self.metrics.batch
        call = Call(limits.batch, limits.batch_tokens, lambda text: self._loaded.work_of(text))
        shared = partial(BatchQueue, queue=limits.queue, call=call)
        alone = partial(BatchQueue, queue=limits.full_queue, call=None)
        self._queues = {
            "student": shared("the student", threads=limits.scorers, measure=measure("student")),
            "lookup": shared("looking up", threads=1, measure=measure("lookup")),
            "explanation": BatchQueue(
                "explaining", threads=1, queue=limits.explain_queue, call=Call(1), measure=measure("explanation")
            ),
            "full": alone("the full model", threads=limits.full_workers, measure=measure("full")),
        }
        for queue in self._queues.values():
            queue.on_panic = self._say

    async def stop(self) -> None:
        """Finish what was accepted, then end the threads; what takes longer than the grace is left behind."""
        self.stopping = True
        await asyncio.gather(*(queue.close(self.limits.grace_seconds) for queue in self._queues.values()))

    async def judge(self, texts: list[str], *, explain: bool = False) -> list[Verdict]:
        """Judge texts: verdicts in their order, without origins.

        Parameters
        ----------
        explain
            Whether verdicts tell what carried them; see `explaining.explained`.

        Raises
        ------
        Busy
            If too many events are waiting.
        FullDown
            If the full model does not answer and the policy is to fail.
        """
        loaded = self._loaded  # a reload changes nothing for a request that has begun
        found: list[Verdict | Escalated] = await self._queues["student"](loaded.judge, texts)
        escalated = [one for one in found if isinstance(one, Escalated)]
        settled = iter(loaded.settle(escalated, await self._asked(loaded.cascade, escalated)) if escalated else ())
        verdicts = [next(settled) if isinstance(one, Escalated) else one for one in found]
        if loaded.silencer is not None:
            verdicts = await self._excepted(loaded, loaded.silencer, texts, verdicts)
        self.metrics.verdicts(verdicts)
        if withdrawn := loaded.count(verdicts):
            self._say(f"promise {withdrawn.message}")
        if not explain:
            return verdicts
        return await explained(verdicts, texts, loaded, self._queues["explanation"], self.limits)

    async def _excepted(
        self, loaded: LoadedBundle, silencer: Silencer, texts: list[str], verdicts: list[Verdict]
    ) -> list[Verdict]:
        """Mark the alerts that a rule silences; where nobody has time to prove a span, they stay alerts."""
        benign = loaded.cascade.student.manifest.benign
        places = [i for i, verdict in enumerate(verdicts) if is_alert(verdict, benign)]
        alerts, said = [{"source": "request", **verdicts[i]} for i in places], [texts[i] for i in places]
        wanted = silencer.unproved(alerts, said)
        try:
            proved = dict(zip(wanted, await self._queues["lookup"](silencer.proved, wanted), strict=True))
        except Busy:
            proved = {}
        silenced = silencer.settle(alerts, said, proved).silenced
        marked = {places[place]: rule for place, rule in silenced.items()}
        return [{**one, "excepted": marked[i]} if i in marked else one for i, one in enumerate(verdicts)]

    async def _asked(self, cascade: Cascade, escalated: list[Escalated]) -> Floats | FullDown | str:
        """Ask the full model for answers, or for why there are none."""
        full = cascade.full
        assert full is not None
        texts, seconds = [one.text for one in escalated], self.limits.full_seconds
        try:
            if full.resting():  # at once: behind calls that hang its answer would take as long as theirs
                raise FullDown(f"{full.model}: it failed before and is not asked again yet")
            self.metrics.asked(len(texts))
            async with asyncio.timeout(seconds):
                return np.stack(await self._queues["full"](full.ask, texts))
        except Busy as busy:
            return str(busy)
        except FullDown as error:
            down = error
        except TimeoutError:
            full.failed()  # its thread may see it later, or never: the call may still have waited for others
            down = FullDown(f"{full.model}: no answer within {seconds:g} s")
        except Exception as error:  # whatever befalls it, the student's answer is there
            down = FullDown(f"{full.model}: {str(error) or type(error).__name__}")
        self.metrics.full_failed()
        if cascade.policy.on_full_down == "fail":
            raise down
        return down

    async def embed(self, texts: list[str]) -> list[Floats]:
        """Return embeddings of length 1, one a text; NotGiven if the model has none."""
        loaded = self._loaded
        if loaded.cascade.student.hidden is None:
            raise NotGiven("the bundle's model gives no embedding: it was written before models did")
        return await self._queues["lookup"](loaded.embed, texts)

    async def similar(self, texts: list[str], count: int, *, all_kinds: bool = False) -> list[dict[str, Any]]:
        """Find the known events nearest to each text; NotGiven if the service has no index."""
        search = self._loaded.searcher
        if search is None:
            raise NotGiven("no index of known events was given: overproof serve --index INDEX")
        found = await self._queues["lookup"](partial(search, k=count, all_kinds=all_kinds), texts)
        return [one.to_json() for one in found]

    async def look(self, text: str) -> dict[str, Any]:
        """Return the windows that a text is judged in."""
        found: list[dict[str, Any]] = await self._queues["lookup"](self._loaded.look, [text])
        return found[0]

    @property
    def about(self) -> str:
        """What the bundle in service was made from; see `Cascade`."""
        return self._loaded.cascade.about

    def reload(self) -> None:
        """Open the bundle again in the background; asked meanwhile, once more after that."""
        if self._reloading is not None and not self._reloading.done():
            self._again = True
            return
        self._reloading = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        while True:
            self._again = False
            try:
                new = await asyncio.to_thread(self._open)
                new.fits(self._loaded)
            except Exception as error:  # whatever is wrong with it: what is in service goes on
                self.metrics.reloaded("kept")
                self._say(f"reload: the bundle in service stays: {error}")
            else:
                new.follow(self._loaded)
                self._loaded = new
                self.metrics.reloaded("swapped")
                told = f"reload: model {new.cascade.models['student']} is in service"
                self._say("; ".join(filter(None, (told, self.about))))
            if not self._again:
                return

    def status(self) -> dict[str, Any]:
        """Return what `/readyz` says to those who may know."""
        cascade, drift = self._loaded.cascade, self._loaded.drift
        searcher = self._loaded.searcher
        return {
            "ready": not self.stopping and bool(self._queues) and self._queues["student"].healthy,
            "panics": sum(queue.panics for queue in self._queues.values()),
            "models": cascade.models,
            "classes": list(cascade.student.classes),
            "benign": list(cascade.student.manifest.benign),
            "policy": cascade.policy.basis,
            "promise": None if self._loaded.promised is None else self._loaded.promised.to_json(),
            "full": None if cascade.full is None else "resting after failures" if cascade.full.resting() else "in use",
            "known_events": None if searcher is None else searcher.rows,
            "drift": drift.measured() or None,
            "drift_unmeasured": drift.unmeasured(),
        }

    def card(self) -> dict[str, Any]:
        """Return what the bundle in service is."""
        status = self.status()
        return {**card(self._loaded), **{name: status[name] for name in ("promise", "full", "known_events")}}

    def _gauges(self) -> Iterator[tuple[str, str, Mapping[str, str], float]]:
        cascade = self._loaded.cascade
        manifest = cascade.student.manifest
        about = {
            "model": "+".join(manifest.models),
            "overproof": manifest.overproof,
            "precision": manifest.precision,
            "full": cascade.models["full"] or "",
        }
        yield "overproof_bundle_info", "The bundle in service", about, 1
        yield "overproof_ready", "Whether requests are taken", {}, float(self.status()["ready"])
        for name, queue in self._queues.items():
            yield "overproof_queue_events", "Events that wait", {"model": name}, queue.waiting
        promised = self._loaded.promised
        now = "none" if promised is None else promised.status
        for status in ("stands", "withdrawn", "none"):
            description = "What is left of the check's promise: 1 for the status that it has"
            yield "overproof_promise", description, {"status": status}, float(status == now)
        if cascade.full is not None:
            description = "Whether the full model failed and is left alone"
            yield "overproof_full_resting", description, {}, float(cascade.full.resting())
        for signal, value in self._loaded.drift.measured().items():
            description = "Population stability index of the last events' scores against validation events'"
            yield "overproof_drift", description, {"signal": signal}, value
