"""Windows events as XML: the same events as from the JSON of them, whatever the lines and whoever wrote them."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.sources import Columns

from .independent import said
from .test_independent_counts import FILLED

NAMESPACE = 'xmlns="http://schemas.microsoft.com/win/2004/08/events/event"'


def event(command: str, between: str = "") -> str:
    parts = [
        f"<Event {NAMESPACE}>",
        "<System>",
        "<Provider Name='Microsoft-Windows-Sysmon'/><EventID Qualifiers='0'>1</EventID>",
        "<TimeCreated SystemTime='2026-01-05T07:06:24.5Z'/>",
        "<Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>web1</Computer></System>",
        f"<EventData><Data Name='CommandLine'>{escape(command)}</Data>",
        "<Data Name='User'>bob</Data><Data Name='Image'>x.exe</Data></EventData></Event>",
    ]
    return between.join(parts)


JSON = {
    "System": {
        "EventID": 1,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-01-05T07:06:24.5Z"}},
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "web1",
    },
    "EventData": {"User": "bob", "Image": "x.exe"},
}
COMMANDS = ["powershell -enc AAAA & <b>", "a", "c d"]
LAYOUTS = {
    "one a line": lambda some: "".join(f"{event(one)}\r\n" for one in some),
    "over several lines": lambda some: "\n".join(event(one, "\n  ") for one in some),
    "a document on one line": lambda some: (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n<Events>' + "".join(map(event, some)) + "</Events>"
    ),
    "behind a byte order mark": lambda some: "\ufeff" + "".join(map(event, some)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["events.xml", "app.log"])
def test_events_are_those_of_the_json_of_them(read, layout: str, name: str) -> None:
    table, rejects = read(name, LAYOUTS[layout](COMMANDS).encode())
    lines = (json.dumps({**JSON, "EventData": {**JSON["EventData"], "CommandLine": one}}) for one in COMMANDS)
    bare, _ = read("a.json", "\n".join(lines).encode())
    assert rejects.total == 0
    assert table.drop_columns("origin").equals(bare.drop_columns("origin"))


def test_as_many_as_grep_counts(read) -> None:
    texts = [text for text in FILLED if "\x1b" not in text]  # which XML cannot hold
    data = "".join(event(text, "\n" if number % 2 else "") + "\n" for number, text in enumerate(texts)).encode()
    table, rejects = read("a.xml", data)
    assert table.num_rows == len(said("grep", "-ao", "</Event>", given=data).splitlines()) == len(texts)
    assert table["text"].to_pylist() == texts and rejects.total == 0


def test_origins_are_lines_and_what_is_no_event_is_counted(read) -> None:
    between = [
        event("a", "\n"),
        "<!-- junk -->",
        f"<Event {NAMESPACE}><!DOCTYPE x [<!ENTITY y 'z'>]><System><EventID>1</EventID></System></Event>",
        event("b").replace(">b<", ">&y;<"),
        f"<Event {NAMESPACE}><EventData/></Event>",
        event("c"),
        "<Event><System>",
    ]
    table, rejects = read("a.xml", "\n".join(between).encode())
    assert table["text"].to_pylist() == ["a", "c"]
    assert [origin.rpartition(":")[2] for origin in table["origin"].to_pylist()] == ["1", "12"]
    assert rejects.summary() == {
        "not a Windows event as XML": 2,
        "XML with a document type": 1,
        "XML does not parse": 1,
        "cut short: XML that does not end": 1,
    }


def test_data_of_a_provider_and_a_message(read) -> None:
    user = f"<Event {NAMESPACE}><System><EventID>7</EventID><Channel>x</Channel></System><UserData><A xmlns='b'>"
    data = f"{user}<Path>c:\\a</Path></A></UserData></Event>"
    data += f"<Event {NAMESPACE}><System><EventID>8</EventID></System><EventData/>"
    data += "<RenderingInfo Culture='en-US'><Message>it stopped</Message></RenderingInfo></Event>"
    table, _ = read("a.xml", data.encode())
    assert table["text"].to_pylist() == ["windows x 7 Path=c:\\a", "it stopped"]


def test_columns_cannot_be_named(read) -> None:
    with pytest.raises(InputError, match="a Windows event log, which is read by its own columns"):
        read("a.xml", event("a").encode(), format="windows", columns=Columns(text="x"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", ["<?xml", "<Events ", "<Event ", "<a>", "</Event"])
def test_what_repeats_without_end_takes_no_time_without_end(read, what: str) -> None:
    table, rejects = read("a.xml", (event("a") + what * 200_000 + event("b")).encode())
    assert table.num_rows >= 1 and table.num_rows + rejects.total >= 2


@given(st.lists(st.sampled_from([event("a"), "<Event>", "</Event>", "<Events>", "x", "\n", "<!--"]), max_size=9))
def test_every_end_of_an_event_is_accounted_for(read, parts: list[str]) -> None:
    data = event("first") + "".join(parts)
    table, rejects = read("a.xml", data.encode())
    assert table.num_rows + rejects.total >= data.count("</Event>") - parts.count("</Event>")
