"""Name the labels that are benign unless the user says otherwise; reading them needs no pyarrow."""

from __future__ import annotations

DEFAULT_BENIGN = ("benign", "normal")
