"""Bodies in charsets that do not agree with ASCII are judged as the server that heeds them reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.charsets import in_charset

ATTACK = "a=' OR 1=1--"


@pytest.mark.parametrize(
    "charset", ["utf-16", "UTF-16LE", "utf_16_be", "utf-32", "ibm037", "IBM500", "cp1140", "cp273"]
)
def test_the_charset_of_the_header_holds(charset: str) -> None:
    assert in_charset(ATTACK.encode(charset), f'text/xml; charset="{charset}"; x=y') == ATTACK


@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp037"])
def test_else_the_body_says_it_itself(charset: str) -> None:
    document = f"<?xml version='1.0'?><a>{ATTACK}</a>"
    assert in_charset(document.encode(charset), "text/xml") == document


def test_an_xml_declaration_names_utf_7() -> None:
    text = in_charset(b'<?xml version="1.0" encoding="utf-7"?>+ADw-script+AD4-', "text/xml")
    assert text.count("<script>") == text.count("+ADw-script+AD4-") == 1


@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-7", "ibm037", "no-such", "", "utf-16-nonsense", "1047"])
@pytest.mark.parametrize("body", [ATTACK, "a=1+UNION+SELECT+x"])
def test_what_reads_as_text_is_there_whatever_charset_is_claimed(charset: str, body: str) -> None:
    for more in (b"", b"\0\0\0\0"):
        assert body in in_charset(body.encode() + more, f"text/plain; charset={charset}")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "gbk", "shift_jis"])
def test_others_are_read_as_utf_8(charset: str) -> None:
    assert in_charset(f"é {ATTACK}".encode(), f"text/plain; charset={charset}") == f"é {ATTACK}"
    assert in_charset(b"\xe9", f"text/plain; charset={charset}") == r"\xe9"


@given(st.binary(max_size=40), st.sampled_from(["", "utf-16", "utf-32-le", "utf-7", "037", "ebcdic-cp-us", "utf-16\0"]))
def test_any_bytes_are_text(body: bytes, charset: str) -> None:
    assert isinstance(in_charset(body, f"a/b; charset={charset}").encode("utf-8", "backslashreplace"), bytes)


@given(st.text(st.characters(codec="cp037"), max_size=40))
def test_what_was_written_is_read(text: str) -> None:
    assert text in in_charset(text.encode("cp037"), "a/b; charset=ibm037") or text.startswith("\ufeff")
