"""Count the records that did not become events by reason, and keep them in a file on request."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from overproof.errors import InputError
from overproof.events.schema import Skipped
from overproof.files import atomic_file, only_writer, open_named, regular_target

MOST_REASONS, LONGEST_REASON = 1000, 500  # that are counted by name, and characters of each: some quote what was read
OTHERS = "(others)"


class Rejects:
    """Count skipped records; itself the `on_skip` callable.

    Use it as a context manager: the file is written aside and gets its name when the block ends, also by an error,
    which it may explain; of a run that is broken off (Ctrl-C, a signal) what stood there stands.

    Parameters
    ----------
    path
        File to keep every skipped record in, one JSON line {reason, origin, raw} each; None keeps none.
    appended
        Write at the file's end, as records are skipped: of a run that has no end of its own.
    examples
        How many records of each reason `first` keeps.

    Attributes
    ----------
    first
        The first records of each reason.

    Raises
    ------
    InputError
        If the file cannot be written.
    """

    def __init__(self, path: str | Path | None = None, *, appended: bool = False, examples: int = 3) -> None:
        self.first: list[Skipped] = []
        self._counts: Counter[str] = Counter()
        self._examples = examples
        self._writing = ExitStack()
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = self._opened(path, appended=appended)
            except (OSError, ValueError) as error:
                self._writing.close()
                said = error.strerror if isinstance(error, OSError) and error.strerror else error
                raise InputError(f"{path}: the rejected records cannot be written there ({said})") from None

    def _opened(self, path: str | Path, *, appended: bool) -> BinaryIO:
        """Open the file, which no other run may write meanwhile: of two the records of one would be lost."""
        target, path = regular_target(path), Path(path)
        if target is not None and os.access(target.parent, os.W_OK):  # else it can only be appended to
            self._writing.enter_context(only_writer(target))
        return self._writing.enter_context(
            open_named(path, "ab") if appended and target is not None else atomic_file(path)
        )

    def __call__(self, skipped: Skipped) -> None:
        """Count one skipped record, and keep it."""
        reason = skipped.reason[:LONGEST_REASON]
        if reason not in self._counts and len(self._counts) >= MOST_REASONS:
            reason = OTHERS
        self._counts[reason] += 1
        if self._counts[reason] <= self._examples:
            self.first.append(replace(skipped, reason=reason))
        if self._file is not None:
            record = json.dumps({"reason": skipped.reason, "origin": skipped.origin, "raw": skipped.raw})
            self._file.write(record.encode("ascii") + b"\n")

    def place(self) -> dict[str, Any]:
        """Return what was counted and written so far, for `go_on`; what was written is passed on."""
        if self._file is not None:
            self._file.flush()
        size = self._file.tell() if self._file is not None and self._file.seekable() else None
        return {"counts": dict(self._counts), "bytes": size}

    def go_on(self, place: Mapping[str, Any]) -> None:
        """Go on where an earlier run, of which this is the `place`, stood: what it wrote behind that is cut off."""
        self._counts.update(place["counts"])
        file, size = self._file, place["bytes"]
        if file is not None and size is not None and file.seekable() and file.seek(0, os.SEEK_END) > size:
            file.truncate(size)
            file.seek(size)

    @property
    def total(self) -> int:
        """The number of skipped records."""
        return self._counts.total()

    def summary(self) -> dict[str, int]:
        """Return the count of each reason, the most frequent first."""
        return dict(self._counts.most_common())

    def __str__(self) -> str:
        places = {skipped.reason: skipped.origin for skipped in reversed(self.first)}
        reasons = [f"{reason} ({count}, first {places[reason]})" for reason, count in self.summary().items()]
        return f"{self.total} skipped" + (": " + "; ".join(reasons) if reasons else "")

    def close(self) -> None:
        """Give the file its name. A second call does nothing."""
        self._file = None
        self._writing.close()

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._writing.__exit__(kind, error, trace)
        self.close()
