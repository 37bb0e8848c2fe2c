"""SARIF 2.1.0: by its schema where a package brings it, and by the rules that a schema cannot hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from overproof.checks.report import CheckReport, to_sarif
from overproof.report.sarif import plain_message

from .figures import EVIL


@pytest.fixture(params=["everything", "nothing", "measured"])
def log(request: pytest.FixtureRequest) -> dict[str, Any]:
    return to_sarif(request.getfixturevalue(request.param))


def test_the_schema_accepts_it(log: dict[str, Any]) -> None:
    model = pytest.importorskip("pydantic_sarif.model", reason="no pydantic-sarif: the schema is not at hand")
    model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(json.loads(json.dumps(log)))


def test_what_the_specification_demands(log: dict[str, Any]) -> None:
    (run,) = log["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    assert log["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "overproof"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in rules)
    for result in results:
        assert result["kind"] in ("pass", "open", "fail")
        assert (result["level"] == "none") == (result["kind"] != "fail")  # 3.27.10
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
    json.dumps(log, allow_nan=False)


def test_statuses(everything: CheckReport) -> None:
    found = {
        result["partialFingerprints"]["finding/v1"]: (result["kind"], result["level"])
        for result in to_sarif(everything)["runs"][0]["results"]
    }
    assert len(found) == 27 + 3 + 3
    assert found["held-out/misses"] == ("fail", "error")
    assert found["rare/pooled"] == ("fail", "warning")  # required, and not shown
    assert found["rare/family:nosqli"] == ("open", "none")
    assert found["own-data/leaked"] == ("pass", "none")
    evaded = [found[key] for key in found if key.startswith(("redteam/evasion:", "redteam/bypass:"))]
    assert evaded == [("fail", "note")] * 3  # the gates decide; a flood is none


def test_findings_of_one_gate_share_its_rule(everything: CheckReport) -> None:
    run = to_sarif(everything)["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == 24 + 3 + 2 and "rare/family" in ids and "rare/slices" in ids
    families = [result for result in run["results"] if result["ruleId"] == "rare/family"]
    assert len(families) == 4
    assert families[0]["properties"]["limit"] == 0.05
    expected = {
        "value",
        "low",
        "high",
        "limit",
        "events",
        "units",
        "needed",
        "correction",
        "waived",
        "status",
        "closed",
    }
    assert set(families[0]["properties"]) == expected
    rule = run["tool"]["driver"]["rules"][ids.index("rare/pooled")]
    assert rule["shortDescription"]["text"] == "Rare families: pooled"
    assert "limit is 5.00 %; if it is unmeasured, the gate is closed." in rule["fullDescription"]["text"]


def test_the_bundles_name_is_one_segment_of_an_address(everything: CheckReport) -> None:
    uri = to_sarif(everything)["runs"][0]["artifacts"][0]["location"]["uri"]
    assert unquote(uri) == f"waf-2026 {EVIL}/../x"
    assert not set(uri) & set("/:<>\"'&? ")
    for name in ("..", ".", "", "\ud800"):
        renamed = replace(everything, bundle=replace(everything.bundle, name=name))
        uri = to_sarif(renamed)["runs"][0]["artifacts"][0]["location"]["uri"]
        assert uri in ("bundle", "%5Cud800")


def test_a_message_holds_no_placeholder_and_no_link() -> None:
    assert plain_message("{0} [a](http://evil.test)\n") == "{{0}} \\[a\\](http://evil.test)\\n"
    assert plain_message("0.92 % [0.56, 1.28]") == "0.92 % [0.56, 1.28]"
