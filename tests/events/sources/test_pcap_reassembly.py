from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources.pcap.reassembly import FAR, PIECES, WAITING, Reassembly

WRAP = 1 << 32


def reassembled(stream: Reassembly, segments: list[tuple[int, bytes]]) -> bytes:
    return b"".join(stream.add(seq % WRAP, data) for seq, data in segments)


@given(st.data())
def test_any_segmentation_order_and_duplication_gives_the_stream(data) -> None:
    content = data.draw(st.binary(min_size=1, max_size=60))
    base = data.draw(st.sampled_from([0, 1, 77, WRAP - 5, WRAP - 1, WRAP // 2]))
    cuts = sorted({0, len(content), *data.draw(st.lists(st.integers(0, len(content))))})
    pieces = list(pairwise(cuts))
    extra = data.draw(st.lists(st.tuples(st.integers(0, len(content)), st.integers(0, len(content)))))
    pieces += [(min(pair), max(pair)) for pair in extra if pair[0] != pair[1]]
    segments = [(base + start, content[start:end]) for start, end in data.draw(st.permutations(pieces))]
    stream = Reassembly()
    stream.begin(base)
    assert reassembled(stream, segments) == content
    assert (stream.conflicts, stream.strays, stream.waiting) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 12), st.binary(min_size=1, max_size=6)), max_size=12))
def test_of_each_byte_the_first_copy_counts_and_another_is_reported(segments: list[tuple[int, bytes]]) -> None:
    known: dict[int, int] = {}
    conflicts = at = 0
    for place, segment in segments:
        probe = len(segment) == 1 and place == at - 1
        differs = any(known.get(place + index, byte) != byte for index, byte in enumerate(segment))
        conflicts += differs and not probe
        for index, byte in enumerate(segment):
            known.setdefault(place + index, byte)
        while at in known:
            at += 1
    stream = Reassembly()
    stream.begin(7)
    assert reassembled(stream, [(7 + place, segment) for place, segment in segments]) == bytes(
        known[n] for n in range(at)
    )
    assert stream.conflicts == conflicts
    assert stream.waiting == len(known) - at


@given(st.data())
def test_what_comes_from_before_an_unknown_beginning_is_counted(data) -> None:
    content = data.draw(st.binary(min_size=3, max_size=40))
    cuts = sorted({0, len(content), *data.draw(st.lists(st.integers(0, len(content))))})
    segments = [(start, content[start:end]) for start, end in data.draw(st.permutations([*pairwise(cuts)]))]
    first, stream = segments[0][0], Reassembly()
    before = [piece for start, piece in segments if start < first]
    probes = sum(len(piece) == 1 and start == first - 1 for start, piece in segments)
    given = reassembled(stream, segments)
    assert given == content[first:]
    assert len(before) - probes <= stream.early <= len(before)


def test_a_second_copy_of_waiting_bytes_changes_nothing() -> None:
    stream = Reassembly()
    stream.begin(0)
    assert reassembled(stream, [(2, b"CD"), (1, b"bXXe"), (0, b"a")]) == b"abCDe"
    assert stream.conflicts == 1


def test_a_gap_is_passed_when_the_other_side_has_what_follows_it() -> None:
    stream = Reassembly()
    stream.begin(0)
    assert reassembled(stream, [(0, b"ab"), (5, b"fg")]) == b"ab"
    assert not stream.acknowledged(2)
    assert not stream.acknowledged(6)
    assert stream.acknowledged(7)
    assert stream.skip() == b"fg"
    assert stream.add(2, b"cde") == b""  # too late, and nothing is known of it
    assert (stream.conflicts, stream.buffered) == (0, 2)
    assert stream.skip() == b""
    assert not stream.acknowledged(7)


def test_what_waits_is_bounded() -> None:
    stream = Reassembly()
    stream.begin(0)
    for place in range(PIECES + 1):
        assert not stream.full
        stream.add(1 + 2 * place, b"x")
    assert stream.full
    stream = Reassembly()
    stream.begin(0)
    stream.add(1, bytes(WAITING))
    assert not stream.full
    stream.add(WAITING + 2, b"x")
    assert stream.full


def test_a_segment_from_far_away_is_a_stray() -> None:
    stream = Reassembly()
    stream.begin(10)
    assert stream.add(10 + FAR + 1, b"x") == b""
    assert stream.add((10 - FAR - 1) % WRAP, b"x") == b""
    assert (stream.strays, stream.waiting) == (2, 0)
    assert stream.add(10, b"x") == b"x"


def test_the_byte_of_a_keep_alive_is_no_second_copy() -> None:
    stream = Reassembly()
    assert reassembled(stream, [(50, b"abc"), (52, b"\0"), (53, b"d")]) == b"abcd"
    assert stream.conflicts == 0


def test_a_stream_seen_from_its_middle_begins_with_its_first_segment() -> None:
    stream = Reassembly()
    assert reassembled(stream, [(50, b"ab"), (48, b"__"), (52, b"c")]) == b"abc"
    assert stream.conflicts == 0  # what came before was never seen
