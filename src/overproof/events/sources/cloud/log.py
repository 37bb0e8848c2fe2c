"""Define what is known of a log: how its records are told, and where who did what, when and from where stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Log:
    """A kind of log.

    Attributes
    ----------
    name
        As texts and kinds have it.
    keys
        What every record has.
    action
        What was done, by which service: the text begins with it.
    time, user, address, agent
        Where these are, the best first.
    """

    name: str
    keys: tuple[str, ...]
    action: tuple[str, ...]
    time: tuple[str, ...]
    user: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
