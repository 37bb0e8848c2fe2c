"""Find what lies beside an ONNX file: its tokenizer, and the names of its classes."""

from __future__ import annotations

import json
from pathlib import Path

from overproof.bundle.manifest_schema import each_name_once
from overproof.distillation.teachers.contract import first_line, require_single_label
from overproof.errors import InputError

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")
CONFIG = "config.json"
NAMES = ("labels.json", CONFIG)


def beside(path: Path, *names: str) -> Path:
    """Find the first of some files beside a model, its own stem first; InputError if there is none."""
    places = [path.with_name(f"{path.stem}.{name}") for name in names] + [path.with_name(name) for name in names]
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"{path}: expected one of {', '.join(place.name for place in places)} beside it")


def class_names_beside(path: Path) -> tuple[str, ...] | None:
    """Read the class names beside a model; None if there is no file of them.

    Raises
    ------
    InputError
        No names can be read, or a second file has the same ones in another order: nobody knows which is right.
    """
    places = [file for file in files_beside(path) if file.name.endswith(NAMES)]
    if not places:
        return None
    file = beside(path, *NAMES)
    names = class_names(file)
    for other in places:
        found = _names_or_none(other)
        if found is not None and found != names and sorted(found) == sorted(names):
            raise InputError(
                f"{other}: names the classes {', '.join(found)}, {file.name} {', '.join(names)}: expected one order"
            )
    return names


def _names_or_none(path: Path) -> tuple[str, ...] | None:
    """Return the names in a file; None of a config.json that is there for something else."""
    try:
        return class_names(path)
    except InputError:
        return None


def files_beside(path: Path) -> tuple[Path, ...]:
    """List the files that the model is read with: tokenizer and class names, those that exist."""
    names = (*TOKENIZERS, *NAMES)
    places = [path.with_name(f"{path.stem}.{name}") for name in names] + [path.with_name(name) for name in names]
    return tuple(place for place in places if place.is_file())


def class_names(path: Path) -> tuple[str, ...]:
    """Read a list of names or {"0": name, …}; in config.json under `id2label`."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=each_name_once)
        if isinstance(names, dict) and path.name.endswith("config.json"):
            names = names["id2label"]
        if isinstance(names, dict):
            names = [names[str(i)] for i in range(len(names))]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("no list of strings")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f'{path}: expected class names as ["a", "b"] or {{"0": "a", …}}: {error}') from None
    return tuple(names)


def require_single_label_beside(path: Path) -> None:
    """Refuse a model whose config.json, if there is one, says that its outputs are independent of each other."""
    for place in (path.with_name(f"{path.stem}.{CONFIG}"), path.with_name(CONFIG)):
        if place.is_file():
            try:
                config = json.loads(place.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise InputError(f"{place}: cannot be read as JSON: {first_line(error)}") from None
            require_single_label(config if isinstance(config, dict) else {}, str(place))
            return
