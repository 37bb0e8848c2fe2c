from __future__ import annotations

import base64
import ipaddress
import random
import re
import zlib
from collections import Counter
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from overproof.errors import InputError
from overproof.events.schema import SCHEMA
from overproof.events.simulate import Traffic, simulate
from overproof.events.simulate.families import ALONE, NOVEL, TWINS

COUNT = 3000
ALLOWED_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
    )
]
ALLOWED_DOMAINS = (".example.com", ".test", ".invalid")


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return simulate(COUNT, seed=7)


def both(traffic: Traffic) -> pa.Table:
    return pa.concat_tables([traffic.train, traffic.test])


def template(text: str) -> str:
    """Lower case, digits to zero: written anew here, so that it checks the code's own."""
    return re.sub(r"[0-9]", "0", text.lower())


def decoded(text: str) -> list[str]:
    """The text and what its base64 payloads say."""
    found = [text]
    for blob in re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", text):
        try:
            data = base64.b64decode(blob, validate=True)
        except ValueError:
            continue
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompress(data, 31)
        found += [data.decode("latin-1"), data.decode("utf-16-le", "replace")]
    return found


def test_same_seed_same_events_and_others_differ(traffic: Traffic) -> None:
    again = simulate(COUNT, seed=7)
    assert again.train.equals(traffic.train)
    assert again.test.equals(traffic.test)
    other = simulate(COUNT, seed=8)
    assert not set(other.train["text"].to_pylist()) >= set(traffic.train["text"].to_pylist()[:50])


def test_global_random_state_is_left_alone() -> None:
    random.seed(1)
    before = random.getstate()
    simulate(100, seed=0)
    assert random.getstate() == before


def test_schema_and_sizes(traffic: Traffic) -> None:
    for side, table in (("train", traffic.train), ("test", traffic.test)):
        assert table.schema.names == [*SCHEMA.names, "source", "hard_benign", "novel"]
        assert [table.schema.field(field.name) for field in SCHEMA] == list(SCHEMA)
        assert all(column.null_count == 0 for column in table.columns)
        assert set(table["label"].to_pylist()) == {"normal", "suspicious", "malicious"}
        assert set(table["source"].to_pylist()) == {"simulated"}
        assert table["origin"][16].as_py() == f"simulated:{side}:17"
        assert table["time"].to_pylist() == sorted(table["time"].to_pylist())
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in table["time"].to_pylist())
    assert traffic.train.num_rows == COUNT
    known = traffic.test.filter(pc.invert(traffic.test["novel"]))
    assert known.num_rows == COUNT // 3
    assert max(traffic.train["time"].to_pylist()) < min(traffic.test["time"].to_pylist())


@pytest.mark.parametrize("count", [1, 2, 17])
def test_small_counts_are_exact(count: int) -> None:
    assert simulate(count, seed=0).train.num_rows == count


@pytest.mark.parametrize("count", [0, -5])
def test_no_events_is_an_input_error(count: int) -> None:
    with pytest.raises(InputError, match="1 or more"):
        simulate(count, seed=0)


def test_families_shares(traffic: Traffic) -> None:
    shares = {name: n / COUNT for name, n in Counter(traffic.train["family"].to_pylist()).items()}
    assert len(shares) >= 25
    rare = [family.name for family in ALONE if family.label != "normal" and family.weight < 0.6]
    assert len(rare) >= 5
    assert all(0 < shares[name] < 0.01 for name in rare)
    assert max(shares.values()) < 0.1
    labels = Counter(traffic.train["label"].to_pylist())
    assert all(0.1 < labels[label] / COUNT < 0.7 for label in ("normal", "suspicious", "malicious"))


def test_novel_families_are_only_in_the_test(traffic: Traffic) -> None:
    novel = {family.name for family in NOVEL}
    assert len(novel) >= 3
    assert not novel & set(traffic.train["family"].to_pylist())
    assert not any(traffic.train["novel"].to_pylist())
    rows = traffic.test.filter(traffic.test["novel"])
    assert set(rows["family"].to_pylist()) == novel
    assert "normal" not in rows["label"].to_pylist()


def test_hard_benign_is_marked_and_normal(traffic: Traffic) -> None:
    for table in (traffic.train, traffic.test):
        hard = table.filter(table["hard_benign"])
        assert hard.num_rows > 0.05 * table.num_rows
        assert set(hard["label"].to_pylist()) == {"normal"}
    text = "\n".join(traffic.train.filter(traffic.train["hard_benign"])["text"].to_pylist())
    text = unquote_plus(text).lower()
    for sign in ("o'", "select a size", "<code>", "<script", "base64 -d", "data:image/", "allow-list", "union select"):
        assert sign in text, sign


def test_no_group_text_or_template_on_both_sides(traffic: Traffic) -> None:
    train, test = traffic.train, traffic.test
    assert not set(train["group"].to_pylist()) & set(test["group"].to_pylist())
    assert not {template(t) for t in train["text"].to_pylist()} & {template(t) for t in test["text"].to_pylist()}


def test_a_template_belongs_to_one_group_and_a_group_to_one_family_or_two_twins(traffic: Traffic) -> None:
    rows = both(traffic).to_pylist()
    assert len({row["text"] for row in rows}) == len(rows)
    assert len({(template(row["text"]), row["group"]) for row in rows}) == len({template(row["text"]) for row in rows})
    together: dict[str, set[str]] = {}
    for row in rows:
        together.setdefault(row["group"], set()).add(row["family"])
    twins = [{family.name for family in pair} for pair in TWINS]
    assert all(len(families) == 1 or families in twins for families in together.values())
    assert 1.5 < len(rows) / len({row["group"] for row in rows}) <= 4


def test_texts_are_short(traffic: Traffic) -> None:
    lengths = sorted(len(text) for text in traffic.train["text"].to_pylist())
    assert lengths[len(lengths) // 2] < 150
    assert lengths[int(len(lengths) * 0.99)] < 600


def test_only_documentation_and_private_addresses(traffic: Traffic) -> None:
    texts = [part for text in both(traffic)["text"].to_pylist() for part in decoded(text)]
    addresses = {a for text in texts for a in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text)}
    assert len(addresses) > 100
    for address in addresses:
        assert any(ipaddress.ip_address(address) in network for network in ALLOWED_NETWORKS), address


def test_only_reserved_domains(traffic: Traffic) -> None:
    texts = [part for text in both(traffic)["text"].to_pylist() for part in decoded(text)]
    mark = r"(?:://|\b(?:query|sni)=|(?<=\d )host=|@)([A-Za-z0-9.-]+\.[A-Za-z][A-Za-z0-9-]*)(?![A-Za-z0-9.:-])"
    hosts = {host for text in texts for host in re.findall(mark, text)}
    assert len(hosts) > 500
    assert [host for host in hosts if not host.endswith(ALLOWED_DOMAINS)] == []


def test_the_tutorials_packets_are_there() -> None:
    rows = both(simulate(6000, seed=0)).to_pylist()

    def labels(pattern: str) -> set[str]:
        return {row["label"] for row in rows if re.search(pattern, row["text"])}

    assert labels(r"^HTTP GET /index\.html( |$)") == {"normal"}
    assert labels(r"^SSH .* dst=(192\.0\.2|198\.51\.100|203\.0\.113)\..* known=no .*tries=2\^[0-2] ") == {"suspicious"}
    assert "malicious" in labels(r"powershell .*-(enc|EncodedCommand) ")
    assert labels(r"^flows .* ports=2\^[6-9] peers=2\^[01] failed=[6-9]0% ") >= {"suspicious", "malicious"}


@pytest.mark.slow
def test_characters_alone_do_not_decide_the_labels() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    metrics = pytest.importorskip("sklearn.metrics")
    traffic = simulate(4000, seed=0)
    test = traffic.test.filter(pc.invert(traffic.test["novel"]))
    vectorizer = text.TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, lowercase=True)
    model = linear.LogisticRegression(C=10, max_iter=500)
    model.fit(vectorizer.fit_transform(traffic.train["text"].to_pylist()), traffic.train["label"].to_pylist())
    guessed = model.predict(vectorizer.transform(test["text"].to_pylist()))
    f1 = metrics.f1_score(test["label"].to_pylist(), guessed, average="macro")
    assert 0.80 < f1 < 0.99
