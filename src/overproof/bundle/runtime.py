"""Score texts with ONNX Runtime: the only deploy-time module that imports it."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # its Linux wheels send telemetry otherwise; must precede the import

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from overproof.bundle.manifest import MODEL, OOD, Bundle, Manifest
from overproof.bundle.onnx_bytes import may_go_on, require_ours, require_whole
from overproof.bundle.ood import restored
from overproof.bundle.readers import Reader, reader_of
from overproof.bundle.scores import UNTAUGHT, Floats, Scores, Verdict, attack_of, joined, labels_of, softmax
from overproof.bundle.windows import Windows, deciding_windows
from overproof.errors import BundleError
from overproof.events.templates import kind_of
from overproof.portions import portions

ort.set_default_logger_severity(4)  # errors are raised: what it prints of them besides is said twice

SCORED_AT_ONCE = 1 << 18  # characters of the texts that are scored together, as far as they are read
LOOP_SECONDS = 60.0  # that one call may take of a graph with a Loop
BUNDLE_MEMORY = 4 << 30  # bytes that the models of all opened bundles may take, weights and results
OUTPUT, EMBEDDING = "logits", "embedding"  # names in every model file that overproof writes

OPTIMIZATIONS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def session(
    model: bytes | str, *, threads: int = 1, optimization: str = "all", bounded: bool = False
) -> ort.InferenceSession:
    """Open an inference session on the CPU; of a graph with a Loop no call takes longer than `LOOP_SECONDS`.

    Parameters
    ----------
    model
        The ONNX file's bytes or its path.
    threads
        Threads one call may use; one is fastest for small models, whose threads would mostly wait.
    optimization
        How far the graph is rewritten before it runs: a name in `OPTIMIZATIONS`.
    bounded
        All such sessions together take no more than `BUNDLE_MEMORY`; what needs more raises.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = OPTIMIZATIONS[optimization]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised: its own lines on stderr would say them twice
    options.add_session_config_entry("session.load_model_format", "ONNX")  # its own format is not looked through
    if bounded:
        _bound_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
    # without a fallback: there is no other provider, and it would be announced on standard output, where verdicts go
    kind = _Bounded if _may_go_on(model) else ort.InferenceSession
    return kind(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


@cache
def _bound_memory() -> None:
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": BUNDLE_MEMORY}))


class _Bounded(ort.InferenceSession):  # type: ignore[misc]
    """A session whose calls are ended: a Loop's condition may hold for ever."""

    def run(self, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        options = run_options or ort.RunOptions()
        clock = threading.Timer(LOOP_SECONDS, setattr, (options, "terminate", True))
        clock.daemon = True
        clock.start()
        try:
            return super().run(output_names, input_feed, options)
        except Exception as error:
            if options.terminate:
                raise TimeoutError(f"a Loop in its graph has not ended within {LOOP_SECONDS:g} s") from error
            raise
        finally:
            clock.cancel()


def _may_go_on(model: bytes | str) -> bool:
    if isinstance(model, bytes):
        return may_go_on(memoryview(model))
    with (
        open(model, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as seen,
    ):
        return may_go_on(seen)


@dataclass(frozen=True)
class Labels:
    """The classes of a model, in the order of its logits, and those of them that are benign."""

    classes: tuple[str, ...]
    benign: Sequence[str]


class WindowScorer:
    """Texts to scores with one ONNX model: cut, run, let the worst window decide.

    Parameters
    ----------
    model
        ONNX file with outputs `logits` and, for `embed`, `embedding`.
    reader
        Turns texts into what it takes.
    labels
        Its classes; an event's score is that of the window least like the benign ones.

    Attributes
    ----------
    hidden
        Width of the embedding; None if the file gives none: it was written before there was one.
    """

    def __init__(
        self,
        model: bytes,
        reader: Reader,
        labels: Labels,
        *,
        threads: int = 1,
    ) -> None:
        self.classes = labels.classes
        self.reader = reader
        self.windowing = reader.windowing
        self._benign = np.array([name in labels.benign for name in labels.classes])
        self._session = session(model, threads=threads, bounded=True)
        outputs = {output.name: output for output in self._session.get_outputs()}
        if OUTPUT not in outputs:
            raise BundleError(f"the model gives {', '.join(outputs)}, expected {OUTPUT}")
        self.hidden: int | None = _width(outputs[EMBEDDING]) if EMBEDDING in outputs else None

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, in their order; one text's scores do not depend on the others."""
        return joined([self._score(texts[part]) for part in self._portions(texts)])

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return what the head reads of texts, in their order, each of length 1: shape (n, hidden).

        The deciding window's, and of an INT8 student the very numbers that its logits come from. Near ones mean much
        the same to the model. A row that holds no number, or one too large, is NaN.

        Raises
        ------
        BundleError
            If the model gives none: `hidden` is None.
        """
        return self.score_and_embed(texts)[1]

    def score_and_embed(self, texts: Sequence[str]) -> tuple[Scores, Floats]:
        """Return what `score` and `embed` return, in one pass."""
        if self.hidden is None:
            raise BundleError("the model gives no embedding: it was written before models did; compress it again")
        found = [self._score_and_embed(texts[part], self.hidden) for part in self._portions(texts)]
        return joined([scores for scores, _ in found]), np.concatenate([embeddings for _, embeddings in found])

    def _portions(self, texts: Sequence[str]) -> list[slice]:
        """Divide texts so that what is made of a portion, and is many times as large, is bounded."""
        if sum(map(len, texts)) <= SCORED_AT_ONCE:  # the usual case, and the quicker one
            return [slice(None)]
        most = self.windowing.characters
        return list(portions((min(len(text), most) for text in texts), SCORED_AT_ONCE))

    def _score(self, texts: Sequence[str]) -> Scores:
        windows = self.windows(texts)
        return self.decide(windows, self.window_logits(windows))

    def _score_and_embed(self, texts: Sequence[str], hidden: int) -> tuple[Scores, Floats]:
        windows = self.windows(texts)
        logits, embedding = self._run(windows, {OUTPUT: len(self.classes), EMBEDDING: hidden})
        rows = self.deciding(windows, logits)
        return self._scores(windows, logits, rows), _of_length_1(embedding[rows])

    def windows(self, texts: Sequence[str]) -> Windows:
        """Cut texts into the windows that they are judged in."""
        return self.reader.read(texts)

    def decide(self, windows: Windows, logits: Floats) -> Scores:
        """Keep of each event the logits of its window with the highest attack probability.

        Parameters
        ----------
        logits
            Shape (windows, classes), in the order of the windows.
        """
        return self._scores(windows, logits, self.deciding(windows, logits))

    def _scores(self, windows: Windows, logits: Floats, deciding: NDArray[np.intp]) -> Scores:
        return Scores(logits[deciding], self.classes, windows.per_event, windows.overflow, benign=self._benign)

    def deciding(self, windows: Windows, logits: Floats) -> NDArray[np.intp]:
        """Return each event's deciding window, shape (n,): the first with its highest attack probability.

        One whose logits are no numbers comes before all others: nobody knows what it says, so it is not passed over.
        """
        if len(logits) == len(windows.overflow):
            return np.arange(len(logits))
        attack = np.where(np.isfinite(logits).all(axis=1), self.attack(softmax(logits)), np.inf)
        return deciding_windows(attack, windows.owner)

    def attack(self, probabilities: Floats) -> Floats:
        """Return one minus the benign classes' share, shape (n,)."""
        return attack_of(probabilities, self._benign)

    def labels(self, probabilities: Floats) -> NDArray[np.intp]:
        """Return the class that each is given (see `scores.labels_of`), shape (n,)."""
        return labels_of(probabilities, self._benign)

    def judge(self, texts: Sequence[str], origins: Sequence[str] | None = None) -> list[Verdict]:
        """Judge texts, in their order.

        Parameters
        ----------
        texts
            Events as text.
        origins
            Where each came from; `event:1`, `event:2`, … if not given.

        Raises
        ------
        BundleError
            Scores that are no numbers: there is no verdict on them.
        """
        scores = WindowScorer.score(self, texts)  # a verdict does not show the rest of what a subclass measures
        return judged(scores, self.attack, origins)

    def spell(self, windows: Windows, window: int) -> list[str]:
        """Spell what the model reads of a window; part of a character becomes U+FFFD."""
        return self.reader.spell(windows, window)

    def window_logits(self, windows: Windows) -> Floats:
        """Return the logits of each window, shape (windows, classes)."""
        return self._run(windows, {OUTPUT: len(self.classes)})[0]

    def _run(self, windows: Windows, widths: Mapping[str, int]) -> list[Floats]:
        """Return the named outputs of each window, shape (windows, width) each."""
        found = [np.empty((len(windows), width), dtype=np.float32) for width in widths.values()]
        try:
            for rows, onnx_input in windows.batches():
                for values, part in zip(found, self._session.run(list(widths), onnx_input), strict=True):
                    values[rows] = _checked(part, (len(rows), values.shape[1]))
        except (MemoryError, BundleError):
            raise
        except Exception as error:  # the runtime's own classes, and shapes that do not fit: the graph is another's
            raise BundleError(
                f"the bundle's model cannot judge what its reader gives it: {_first_line(error)}"
            ) from error
        return found


class OnnxScorer(WindowScorer):
    """The quantized student of a bundle; where the bundle has an OOD detector, its scores tell the distance too."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.manifest: Manifest = bundle.manifest
        require_whole(bundle.files[MODEL], str(bundle.path / MODEL))
        require_ours(bundle.files[MODEL], str(bundle.path / MODEL))
        try:
            super().__init__(
                bundle.files[MODEL],
                reader_of(bundle.files, bundle.manifest.windowing, str(bundle.path)),
                Labels(bundle.manifest.classes, bundle.manifest.benign),
                threads=threads,
            )
        except (BundleError, KeyboardInterrupt):
            raise
        except BaseException as error:  # verified bytes that cannot be read: another version's; tokenizers panics
            raise BundleError(
                f"{bundle.path}: cannot be loaded by onnxruntime {ort.__version__}: {_first_line(error)}"
            ) from error
        stored = bundle.files.get(OOD)
        self.ood = None if stored is None else restored(stored, str(bundle.path / OOD))
        if self.ood is not None and self.ood.hidden != self.hidden:
            raise BundleError(f"{bundle.path / OOD}: of another model: the embedding has {self.hidden} numbers")

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, in their order; one text's scores do not depend on the others."""
        if self.ood is None:
            return super().score(texts)
        scores, embeddings = self.score_and_embed(texts)
        distance = self.ood.distance(embeddings)
        if kinds := self.manifest.kinds:
            distance[[kind_of(text) not in kinds for text in texts]] = UNTAUGHT
        return replace(scores, ood_distance=distance)


def judged(
    scores: Scores, attack_of: Callable[[Floats], Floats], origins: Sequence[str] | None = None
) -> list[Verdict]:
    """Return verdicts on events that were scored, in their order (see `WindowScorer.judge`).

    Parameters
    ----------
    attack_of
        Probabilities, shape (n, classes), to those of an attack, shape (n,).
    """
    probabilities = scores.probabilities
    attack = attack_of(probabilities)
    names = require_numbers(scores, origins)
    return [
        Verdict(
            label=scores.classes[label],
            attack=float(attack[i]),
            probabilities=dict(zip(scores.classes, map(float, p), strict=True)),
            windows=int(scores.windows[i]),
            overflow=bool(scores.overflow[i]),
            origin=names[i],
        )
        for i, (label, p) in enumerate(zip(scores.labels.tolist(), probabilities, strict=True))
    ]


def require_numbers(scores: Scores, origins: Sequence[str] | None = None) -> Sequence[str]:
    """Return where events came from, `event:1` and so on if that is not given; BundleError if scores are no numbers."""
    names = [f"event:{i + 1}" for i in range(len(scores.logits))] if origins is None else origins
    if bad := [names[int(i)] for i in np.flatnonzero(~np.isfinite(scores.logits).all(axis=1))]:
        raise BundleError(
            f"the model's scores of {', '.join(bad[:3])}{' and others' if bad[3:] else ''} are no numbers: "
            "there is no verdict on them, and the model should not be used"
        )
    return names


def _width(output: ort.NodeArg) -> int:
    """Return how many numbers an output gives of a window; BundleError if it does not say."""
    if len(output.shape) != 2 or not isinstance(output.shape[1], int):
        raise BundleError(f"the model's {output.name} has the shape {output.shape}, expected (windows, numbers)")
    return int(output.shape[1])


def _checked(part: Any, shape: tuple[int, int]) -> Floats:
    """Return what a model gave; BundleError of another shape or kind: numpy would spread one row over all events."""
    if not isinstance(part, np.ndarray) or part.shape != shape or part.dtype != np.float32:
        given = f"{part.dtype} of shape {part.shape}" if isinstance(part, np.ndarray) else type(part).__name__
        raise BundleError(f"the bundle's model gives {given} for {shape[0]} windows, expected float32 of shape {shape}")
    return part


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _of_length_1(embeddings: Floats) -> Floats:
    """Scale each row to length 1; NaN where its length is no finite number."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        scaled = embeddings / np.maximum(length, np.finfo(np.float32).tiny)
    return np.where(np.isfinite(length), scaled, np.float32(np.nan))
