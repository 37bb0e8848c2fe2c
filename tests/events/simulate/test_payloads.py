from __future__ import annotations

import base64
import gzip

from hypothesis import given
from hypothesis import strategies as st

from overproof.events.simulate import payloads

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(TEXTS)
def test_payloads_decode_to_the_script(script: str) -> None:
    assert base64.b64decode(payloads.plain(script)).decode() == script
    assert base64.b64decode(payloads.utf16(script)).decode("utf-16-le") == script
    assert gzip.decompress(base64.b64decode(payloads.packed(script))).decode() == script
