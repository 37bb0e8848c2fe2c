"""Requests are edited to others that ask the same."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.redteam.mutate.http import MUTATORS
from overproof.redteam.mutate.http_parts import request_parts

WRITTEN = (
    """HTTP GET |/a|?|b=1|&| host=x| ua="a/1"| cookie=a=b| referer=| headers=| body=|{"a":|1|"x"|}|--B\n|\n--B--|..|%"""
)
PIECES = WRITTEN.split("|")
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.just("HTTP GET /\ud800\0"))
PART_A = 'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n'
PART_B = 'Content-Disposition: form-data; name="b"\r\n\r\n2\r\n'
MULTIPART = f"--B\r\n{PART_A}--B\r\n{PART_B}--B--\r\n"
SWAPPED = f"--B\r\n{PART_B}--B\r\n{PART_A}--B--\r\n"


@given(TEXTS, st.sampled_from(sorted(MUTATORS)), st.integers(0, 2**32))
def test_every_edit_takes_any_text_and_is_the_same_again(text: str, name: str, seed: int) -> None:
    edited = MUTATORS[name](text, Random(seed))
    assert edited == MUTATORS[name](text, Random(seed))


@given(TEXTS)
def test_the_parts_of_a_request_are_all_of_it(text: str) -> None:
    parts = request_parts(text)
    assert parts is None or parts.text == text


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("ordinary parameter in the target", "/a", "/a?garden=garden"),
        ("ordinary parameter in the target", "/a?b=1", "/a?b=1&garden=garden"),
        ("ordinary parameter in the target", "/a?b=salt & pepper", "/a?b=salt & pepper&garden=garden"),
        ("ordinary parameter in the target", "/a?garden=1", None),
        ("parameters of the target in another order", "/a?b=1&c=2", "/a?c=2&b=1"),
        ("parameters of the target in another order", "/a?b=1&b=2", None),
        ("parameters of the target in another order", "/a?b=http://example.com/?x=1&c=2", None),
        ("detour by ordinary words in the path", "/a", "/garden/../a"),
        ("detour by ordinary words in the path", "/garden/../a", "/garden/garden/../../garden/../a"),
        ("detour by ordinary words in the path", "/a/../etc/passwd/..", None),
        ("detour by ordinary words in the path", "//example.com", None),
        ("dot segment in the path", "/a", "/./a"),
        (
            "another browser",
            '/ ua="sqlmap/1.8"',
            '/ ua="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"',
        ),
        ("another browser", '/ ua="() { :;}; id"', None),
        ("ordinary cookie", "/", "/ cookie=garden=garden"),
        ("ordinary cookie", "/ host=x cookie=a=b body=1", "/ host=x cookie=garden=garden; a=b body=1"),
        ("another page of the site as referer", "/ host=x.test", "/ host=x.test referer=https://x.test/garden"),
        ("another page of the site as referer", "/ referer=<script>", None),
        ("ordinary header", "/ host=x", "/ host=x headers=x-garden: garden's garden"),
        ("ordinary header", "/ headers=x-api: ${a}", "/ headers=x-api: ${a}, x-garden: garden's garden"),
        ("ordinary parameter in a form", "/ body=a=1", "/ body=a=1&garden=garden"),
        ("ordinary parameter in a form", "/ body=<a>", None),
        ("ordinary parameter in a form", "/ body=g%61rden=1", None),  # the same name
        ("parameters of a form in another order", "/ body=a=1&b=2", "/ body=b=2&a=1"),
        ("percent-encode a character of a form", "/ body=a=%41b", "/ body=a=%41%62"),
        ("ordinary member in JSON", '/ body={"a": 1}', '/ body={"a": 1, "garden": "garden"}'),
        ("ordinary member in JSON", '/ body={"a": 1, "a": 2}', None),
        ("ordinary member in JSON", '/ body={"\\u0067arden": 1}', None),
        ("members of JSON in another order", '/ body={"a":{"c":[1,2]},"b":2}', '/ body={"b":2, "a":{"c":[1,2]}}'),
        ("white space in JSON", '/ body={"a":1}', '/ body={"a": 1}'),
        ("escape a character of JSON", '/ body={"a":1}', '/ body={"\\u0061":1}'),
        ("escape a character of JSON", "/ body={1", None),
        (
            "another boundary of parts",
            f"/ body={MULTIPART}",
            f"/ body={MULTIPART}".replace("--B", "------GardenGarden"),
        ),
        ("parts in another order", f"/ body={MULTIPART}", f"/ body={SWAPPED}"),
        (
            "ordinary part",
            f"/ body={MULTIPART}",
            f'/ body=--B\r\nContent-Disposition: form-data; name="garden"\r\n\r\ngarden\r\n{MULTIPART}',
        ),
    ],
)
def test_an_edit(name: str, before: str, after: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("http", "http_parts", "http_body"):
        monkeypatch.setattr(f"overproof.redteam.mutate.{module}.WORDS", ("garden",))
    found = {MUTATORS[name](f"HTTP GET {before}", Random(seed)) for seed in range(300)}
    if after is None:
        assert found == {None}
    else:
        assert f"HTTP GET {after}" in found


def test_a_text_that_is_no_request_has_no_edit() -> None:
    for text in ("", "garden", "HTTP", "HTTP get /", "HTTP GET / ua=1 host=2", "HTTP GET / host=1 host=2"):
        assert {mutator(text, Random(1)) for mutator in MUTATORS.values()} == {None}
