"""A label in two spellings is one class, and is told by file and line."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.errors import InputError
from overproof.events.spellings import plain_name, require_families, require_one_spelling


def table(labels: list[str | None], file: str | None = "a.csv") -> pa.Table:
    origin = {} if file is None else {"origin": [f"{file}:{i + 2}" for i in range(len(labels))]}
    return pa.table({"label": pa.array(labels, pa.string()), **origin})


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ("Malicious", "case"),
        (" malicious ", "blanks"),
        ("MALICIOUS", "case"),
        ("malicious\u00a0", "blanks"),
        ("\u200bmalicious", "invisible characters"),
        ("\ufeffMalicious", "invisible characters and case"),
        ("\uff4dalicious", "the width or form of characters"),
        ("\uff2dalicious", "the width or form of characters and case"),
        ("maliciou\u017f", "the width or form of characters"),  # a long s, which is neither of the two alone
        ("malicious\n", "blanks"),
    ],
)
def test_two_spellings_of_a_label(other: str, what: str) -> None:
    for labels in ([None, "malicious", "x", other], [None, other, "x", "malicious"]):
        with pytest.raises(InputError) as caught:
            require_one_spelling([table(labels)])
        assert str(caught.value) == (
            f"a.csv:5: the label {labels[3]!r} is another spelling of {labels[1]!r} (a.csv:3): they differ in {what} "
            "alone; expected one"
        )


def test_hyphens_are_no_blanks() -> None:
    with pytest.raises(InputError, match="they differ in hyphens or underscores alone;"):
        require_one_spelling([table(["port-scan", "port_scan"])])


def test_in_two_files_or_a_table_without_places() -> None:
    with pytest.raises(InputError, match=r"^b.csv:3: the label 'SQLi' is another spelling of 'sqli' \(a.csv:2\)"):
        require_one_spelling([table(["sqli"]), None, table(["xss", "SQLi"], "b.csv")])
    with pytest.raises(InputError, match=r"^event 2: the label 'SQLi' is another spelling of 'sqli' \(event 1\)"):
        require_one_spelling([table(["sqli", "SQLi"], None)])


def test_names_that_are_known_come_first() -> None:
    with pytest.raises(InputError, match=r"^a.csv:2: the label 'Benign' .* of 'benign' \(a class of m\)"):
        require_one_spelling([table(["Benign", "benign"])], ["benign"], "a class of m")
    require_one_spelling([table(["A", "a"])], ["a", "A"], "a class of a model that has both")


def test_a_family_in_two_spellings() -> None:
    """Each would count as rarer than it is, and one of them as novel where the other was trained on."""
    events = table(["attack"] * 3).append_column("family", pa.array(["SQLi", None, "sqli"]))
    with pytest.raises(InputError, match=r"^a.csv:4: the family 'sqli' is another spelling of 'SQLi' \(a.csv:2\)"):
        require_one_spelling([events])
    with pytest.raises(InputError, match=r"^a.csv:2: the family 'SQLi' .* of 'sqli' \(a family of e\)"):
        require_families(events, ["sqli", "xss"], "a family of e")
    require_one_spelling([events.slice(0, 2), None])


@pytest.mark.parametrize(
    ("one", "other"), [("1", "1.0"), ("0.0", "0"), ("-1", "-1.0"), ("1", "+1"), ("2", "2."), ("1", "1._")]
)
def test_a_number_is_one_however_it_is_written(one: str, other: str) -> None:
    """pandas writes a column of whole numbers as 1.0 as soon as one is missing."""
    with pytest.raises(InputError, match="are one number; expected one"):
        require_one_spelling([table([one]), table([other])])


@pytest.mark.parametrize("labels", [["1", "-1"], ["1", "10"], ["1.5", "1"], ["sql", "sqli"], ["a-b", "ab"]])
def test_names_that_are_two(labels: list[str]) -> None:
    require_one_spelling([table([*labels, None])])


@given(st.text(st.sampled_from("aBç1.- _\u00a0"), max_size=6))
def test_what_is_plain_stays_so(name: str) -> None:
    assert plain_name(plain_name(name)) == plain_name(name)
    assert plain_name(f" {name.upper().lower()}\u200b") == plain_name(name.upper().lower())
