from __future__ import annotations

import ipaddress
from itertools import pairwise
from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources import host_aggregates
from overproof.events.sources.host_aggregates import Connection, HostAggregator
from overproof.events.sources.structured import aggregate_events
from overproof.events.templates import HostAggregate

flow = st.tuples(
    st.integers(0, 400),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "198.51.100.9", "2001:db8:1::1", "2001:db8:1::2", "host.test"]),
    st.none() | st.integers(1, 3),
    st.booleans(),
)


def aggregated(flows: list[tuple[int, str, str, int | None, bool]]) -> list[HostAggregate]:
    aggregator = HostAggregator()
    found = [each for flow in flows for each in aggregator.add(Connection(*flow))]
    return found + aggregator.close()


@given(st.lists(flow, max_size=40))
def test_flows_in_order_give_what_a_loop_over_hosts_and_minutes_gives(flows) -> None:
    flows.sort(key=lambda flow: flow[0])
    found = {(each.start, each.src): each for each in aggregated(flows)}
    assert set(found) == {(time // 60 * 60, src) for time, src, *_ in flows}
    for (start, src), each in found.items():
        mine = [flow for flow in flows if flow[1] == src and start <= flow[0] < start + 60]
        gaps = [after[0] - before[0] for before, after in pairwise(mine)]
        assert each.conns == len(mine)
        assert each.peers == len({flow[2] for flow in mine})
        assert each.ports == len({flow[3] for flow in mine} - {None})
        assert each.failed == pytest.approx(sum(flow[4] for flow in mine) / len(mine))
        assert each.gap == (pytest.approx(sum(gaps) / len(gaps)) if gaps else None)
        if len(gaps) < 2:
            assert each.jitter is None
        elif sum(gaps):
            assert each.jitter == pytest.approx(pstdev(gaps) / (sum(gaps) / len(gaps)))


@given(st.lists(flow, max_size=40).flatmap(lambda flows: st.tuples(st.just(flows), st.permutations(flows))))
def test_no_flow_is_lost_or_counted_twice_in_any_order(flows) -> None:
    ordered, shuffled = flows
    for each in (ordered, shuffled):
        assert sum(found.conns for found in aggregated(each)) == len(ordered)


@given(st.lists(flow, max_size=40).flatmap(st.permutations))
def test_order_does_not_matter_to_flows_recorded_at_one_time(flows) -> None:
    def finished(flows) -> set[HostAggregate]:
        aggregator = HostAggregator()
        assert not any(aggregator.add(Connection(*flow, recorded=0)) for flow in flows)
        return set(aggregator.close())

    assert finished(flows) == finished(sorted(flows, key=repr))


def test_a_minute_is_finished_when_it_is_over_and_late_flows_had_their_time() -> None:
    aggregator = HostAggregator()
    assert aggregator.add(Connection(0, "a", "b", 80, False)) == []
    assert aggregator.add(Connection(179, "c", "b", 80, False)) == []
    assert [each.start for each in aggregator.add(Connection(180, "c", "b", 80, True))] == [0]
    assert [each.start for each in aggregator.close()] == [120, 180]
    assert aggregator.close() == []


@pytest.mark.parametrize(
    ("peers", "dst"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7", "192.0.2.8"], "192.0.2.0/24"),
        (["192.0.2.7", "198.51.100.1", "198.51.100.2"], "198.51.100.0/24"),
        (["2001:db8::1", "2001:db8::2"], "2001:db8::/64"),
        (["b.test", "a.test"], "a.test"),
    ],
)
def test_whom_a_host_called(peers: list[str], dst: str) -> None:
    (found,) = aggregated([(i, "10.0.0.1", peer, 80, False) for i, peer in enumerate(peers)])
    assert found.dst == dst


def test_a_scan_in_words() -> None:
    (found,) = aggregated([(i // 20, "10.0.0.1", "10.0.0.2", i, i % 10 < 7) for i in range(1024)])
    text = "flows src=10.0.0.1 dst=10.0.0.2 conns=2^10 ports=2^10 peers=2^0 failed=70% gap=2^0s jitter="
    assert found.text.startswith(text)


def test_the_columns_have_the_figures_that_the_text_has_the_magnitudes_of() -> None:
    (found,) = aggregate_events(aggregated([(i / 2, "10.0.0.1", f"10.0.1.{i}", i % 3, i % 10 < 7) for i in range(100)]))
    figures = {"connections": 100, "ports": 3, "peers": 100, "failed": 0.7, "gap": 0.5, "jitter": 0.0}
    assert found.columns == {"kind": "flows", "src_ip": "10.0.0.1", "dst_ip": None, **figures}


@pytest.mark.parametrize("bound", ["MOST_HOSTS", "MOST_ENTRIES"])
def test_what_is_kept_is_bounded_and_given_early(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(host_aggregates, bound, 10)
    flows = [(0, str(ipaddress.ip_address(i)), "192.0.2.1", 80, False) for i in range(1000)]
    aggregator, counted = HostAggregator(), 0
    for flow in flows:
        counted += sum(each.conns for each in aggregator.add(Connection(*flow)))
    left = aggregator.close()
    assert len(left) <= 10
    assert counted + sum(each.conns for each in left) == 1000
