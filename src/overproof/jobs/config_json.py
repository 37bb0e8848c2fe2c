"""Store the configuration of a job as JSON, and read it back strictly: every entry there, none unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union

from overproof.errors import BundleError, InputError
from overproof.progress import one_line

if TYPE_CHECKING:
    import pyarrow as pa

    from overproof.events.sources import Columns

T = TypeVar("T")
Events: TypeAlias = Union[Sequence[str | Path], "pa.Table"]


@dataclass(frozen=True)
class TableReference:
    """An event table that was handed over in memory, as a stored configuration remembers it: by its rows."""

    rows: int


def stored(job: str, config: Any) -> dict[str, Any]:
    """Return a job's configuration as plain JSON, with the job's name."""
    return {"job": job, **{f.name: _plain(getattr(config, f.name), f.name) for f in fields(config)}}


def _plain(value: Any, name: str) -> Any:
    """Return a field's value as plain JSON."""
    if name == "events":
        return stored_events(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def stored_events(events: Events | TableReference | None) -> Any:
    """Return files by name, and a table by its number of rows."""
    if events is None:
        return None
    if isinstance(events, TableReference):
        return asdict(events)
    return [str(file) for file in events] if isinstance(events, Sequence) else {"rows": events.num_rows}


def restored_events(data: Any, where: str) -> Any:
    """Read back what `stored_events` gave."""
    if data is None or isinstance(data, list):
        return None if data is None else tuple(str(file) for file in data)
    return built(TableReference, entries_of(TableReference, data, where), where)


def restored_columns(data: Any, where: str) -> Columns | None:
    """Read back which column of a table holds what."""
    if data is None:
        return None
    from overproof.events.sources import Columns

    return built(Columns, entries_of(Columns, data, where), where)


def of_job(job: str, data: Any, where: str) -> dict[str, Any]:
    """Return the entries but the job's name, which must be this one."""
    if not isinstance(data, Mapping) or data.get("job") != job:
        raise BundleError(f"{where}: expected the configuration of the job {job}")
    return {name: value for name, value in data.items() if name != "job"}


def entries_of(cls: type[Any], data: Any, where: str) -> dict[str, Any]:
    """Return the entries of a stored object; BundleError unless they are the fields of `cls`, all of them."""
    if not isinstance(data, Mapping):
        raise BundleError(f"{where}: expected a JSON object with the entries {', '.join(f.name for f in fields(cls))}")
    expected = [f.name for f in fields(cls)]
    missing = [name for name in expected if name not in data]
    unknown = [str(name) for name in data if name not in expected]
    if missing or unknown:
        found = [f"no entry {', '.join(missing)}"] if missing else []
        found += [f"unknown entry {one_line(', '.join(unknown))[:200]}"] if unknown else []
        raise BundleError(f"{where}: {' and '.join(found)}; expected {', '.join(expected)}")
    return dict(data)


def strings(data: Any, where: str) -> tuple[str, ...]:
    """Read back a list of strings."""
    if not isinstance(data, list | tuple) or not all(isinstance(one, str) for one in data):
        raise BundleError(f"{where}: {ascii(data)[:60]}, expected a list of strings")
    return tuple(data)


def path(data: Any, where: str) -> Path | None:
    """Read back a file's name; None where there is none."""
    if data is not None and not isinstance(data, str):
        raise BundleError(f"{where}: {ascii(data)[:60]}, expected the name of a file, or null")
    return None if data is None else Path(data)


def built(cls: type[T], entries: Mapping[str, Any], where: str) -> T:
    """Construct, and so validate; BundleError says where the value that cannot be used stands."""
    try:
        return cls(**entries)
    except (InputError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BundleError(f"{where}: {one_line(str(error))[:300]}") from None
