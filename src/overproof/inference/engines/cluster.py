"""Connect to a Ray cluster: one that is there, or one that is started here and ended again."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from overproof.errors import InputError, MissingExtra, OverproofError

if TYPE_CHECKING:
    from ray.data import DataContext

RETRIES = 3  # of a task whose process or node was lost; then it is to blame
BLOCK_BYTES = 1 << 20  # of texts in one task: some batches, a second of work, so that Ray's own work weighs little


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Inside the block `ray` is imported and connected; a connection that was there before is used and kept.

    A cluster that is started here reports nothing to Ray's makers, shows no dashboard, and asks everyone who connects
    for the token in `~/.ray/auth_token`: its ports are open to the network, and who is let in runs code.

    Parameters
    ----------
    address
        `host:port` of a running cluster, `auto` for the one on this machine; None starts one, with all its cores.

    Raises
    ------
    MissingExtra
        Ray is not installed.
    InputError
        No cluster answers at that address, or one of other versions of Ray or Python.
    OverproofError
        Ray failed in the block.
    """
    ray = _imported(address)
    from ray.exceptions import RayError

    ours = not ray.is_initialized()
    try:
        if ours:
            _connect(ray, address)
        yield
    except RayError as error:
        raise OverproofError(f"the Ray cluster failed: {type(error).__name__}: {error}") from error
    finally:
        if ours:
            ray.shutdown()


def streaming() -> DataContext:
    """Set Ray Data up: results in the order of the input, in small blocks, without a word."""
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.target_max_block_size = BLOCK_BYTES
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return context


def enter(folder: str) -> None:
    """On a node: go where the driver is, if that folder is there too, so that files have the same names as here."""
    with suppress(OSError):
        os.chdir(folder)


def _imported(address: str | None) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # must precede the import, as must the others
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as missing:
        raise MissingExtra(f"Ray needs the package {missing.name}: pip install 'overproof[ray]'") from missing
    return ray


def _connect(ray: Any, address: str | None) -> None:
    _keep_stdout_clean()
    if address is None:
        ray.init("local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        return
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise InputError(f"no Ray cluster that can be used at {address}: {error}") from None


def _keep_stdout_clean() -> None:
    """Ray tells what befell its workers on standard output, where verdicts go, and has no option for it: to stderr."""
    from ray._private import worker

    tell = getattr(worker, "print_to_stdstream", None)
    if tell is not None and tell.__module__ == worker.__name__:  # not yet ours
        worker.print_to_stdstream = lambda data, *rest, **named: tell({**data, "is_err": True}, *rest, **named)
