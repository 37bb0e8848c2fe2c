"""Hold a checkpoint's config.json to the weights beside it, before transformers builds what it asks for.

It is a few numbers in a text: a million layers are built for hours and a billion rows take all memory, before anything
is compared with the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import safetensors
from torch.nn.modules.module import register_module_parameter_registration_hook

from overproof.distillation.teachers.contract import first_line
from overproof.errors import InputError
from overproof.files import utf8_path

MORE, AT_LEAST = 2, 1 << 20  # what is built beside the weights that are held: a head, a pooler
_LAYERS = re.compile(r"(^|_)layers?$")  # `num_hidden_layers`, `n_layer`, `encoder_layers`
_EXPECTED = "expected the config.json that they were saved with"


@dataclass(frozen=True)
class Held:
    """What the files of weights hold: tensors, numbers in all of them, rows of the one that has most."""

    tensors: int
    numbers: int
    rows: int


def held(path: Path) -> Held:
    """Read the shapes of all weights; InputError of files that are no safetensors."""
    shapes: list[list[int]] = []
    for file in sorted(path.glob("*.safetensors")):
        try:
            with utf8_path(file) as name, safetensors.safe_open(name, "np") as weights:
                shapes += [weights.get_slice(key).get_shape() for key in weights.keys()]  # noqa: SIM118  # no mapping
        except Exception as error:
            raise InputError(f"{file}: cannot be read as safetensors: {first_line(error)}") from None
    return Held(len(shapes), sum(map(prod, shapes)), max((shape[0] for shape in shapes if shape), default=0))


def require_counts(path: Path, config: Mapping[str, Any], found: Held) -> None:
    """Raise InputError of more layers than there are tensors, and of more classes than one of them has rows."""
    for name, count in _counts(config):
        if _LAYERS.search(name) and count > found.tensors:
            raise InputError(
                f"{path}: config.json: {name} is {count}, its weights are {found.tensors} tensors; {_EXPECTED}"
            )
    for name in ("num_labels", "id2label"):
        stated = config.get(name)
        classes = len(stated) if isinstance(stated, Mapping) else stated if isinstance(stated, int) else 0
        if classes > max(found.rows, 2):  # of an encoder without a head there are two
            raise InputError(
                f"{path}: config.json: {name} has {classes} classes, none of its weights has as many rows; {_EXPECTED}"
            )


def _counts(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the whole numbers of a configuration and of those within it."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _counts(value)
        elif isinstance(value, int):
            yield name, value


@contextmanager
def no_larger_than(found: Held, path: Path) -> Iterator[None]:
    """Let modules be built until they have many more parameters than the weights hold; then raise InputError."""
    numbers = 0
    seen: set[tuple[int, str]] = set()  # a parameter that is loaded takes another's place
    most = MORE * found.numbers + AT_LEAST

    def count(module: Any, name: str, parameter: Any) -> None:
        nonlocal numbers
        if (id(module), name) in seen:
            return
        seen.add((id(module), name))
        numbers += parameter.numel()
        if numbers > most:
            raise InputError(
                f"{path}: config.json asks for {numbers} numbers or more, its weights hold {found.numbers}; {_EXPECTED}"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
