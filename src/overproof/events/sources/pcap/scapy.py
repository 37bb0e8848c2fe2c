"""Import scapy when a capture is read: quietly, and without a look at this machine's network.

scapy's licence is GPL-2.0-only, which is why it is an optional package and why nothing imports it at the top.
"""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType
from typing import NamedTuple

from overproof.errors import MissingExtra


class Scapy(NamedTuple):
    """The modules of scapy that are used."""

    utils: ModuleType
    error: ModuleType
    config: ModuleType
    inet: ModuleType
    inet6: ModuleType


@cache
def scapy() -> Scapy:
    """Import scapy (0.25 s, once).

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        from scapy import config, error, main
    except ImportError:
        raise MissingExtra("reading pcap needs the package scapy: pip install 'overproof[pcap]'") from None
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # what is wrong with a capture is reported to on_skip
    config.conf.route_autoload = config.conf.route6_autoload = False  # it would ask the kernel for every route
    main.SCAPY_CACHE_FOLDER = None  # it would keep its tables of names as pickles in the home folder
    from scapy import utils
    from scapy.contrib import mpls  # noqa: F401 - it and four of the layers make themselves known as links
    from scapy.layers import dot11, inet, inet6, l2, ppp  # noqa: F401

    return Scapy(utils, error, config, inet, inet6)
