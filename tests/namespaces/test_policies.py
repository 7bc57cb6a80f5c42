"""Policies say where they are wrong, and come back as they were set."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import Denied, Unprocessable
from registry.namespaces.access import ROLES
from registry.namespaces.model import ADMINISTRATOR, NO_POLICIES, Policies, Standing

WHOLE: dict[str, Any] = {
    "immutableTags": ["v*", "release-?"],
    "delete": "owner",
    "addresses": ["192.0.2.0/24", "2001:db8::/32"],
    "tokenSeconds": 60,
    "keyDays": 90,
    "bytes": 10**12,
    "repositories": 0,
    "retention": {"rules": [{"pattern": "nightly-*", "keep": 7}], "untaggedDays": 14, "pulledDays": None},
}


def test_policies_come_back_as_they_were_set() -> None:
    assert Policies.read(WHOLE).to_json() == WHOLE


def test_what_is_not_said_is_the_default() -> None:
    assert Policies.parse("{}") == NO_POLICIES
    assert NO_POLICIES.to_json() == {}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"immutableTags": ["ok", "no spaces"]}, "/immutableTags/1"),
        ({"immutableTags": ["[ab]"]}, "/immutableTags/0"),
        ({"immutableTags": "v*"}, "/immutableTags"),
        ({"immutableTags": ["v*"] * 101}, "/immutableTags"),
        ({"delete": "everybody"}, "/delete"),
        ({"delete": ["owner"]}, "/delete"),
        ({"addresses": ["192.0.2.1/24"]}, "/addresses/0"),
        ({"addresses": [7]}, "/addresses/0"),
        ({"tokenSeconds": 59}, "/tokenSeconds"),
        ({"tokenSeconds": 301}, "/tokenSeconds"),
        ({"bytes": True}, "/bytes"),
        ({"bytes": 1.5}, "/bytes"),
        ({"bytes": 2**63}, "/bytes"),
        ({"repositories": -1}, "/repositories"),
        ({"retention": []}, "/retention"),
        ({"retention": {"rules": [{"pattern": "*"}]}}, "/retention/rules/0/keep"),
        ({"retention": {"rules": [{"pattern": "", "keep": 1}]}}, "/retention/rules/0/pattern"),
        ({"retention": {"untaggedDays": "7"}}, "/retention/untaggedDays"),
        ({"retention": {"untagged": 7}}, "/retention/untagged"),
        ({"quota": 1}, "/quota"),
    ],
)
def test_what_cannot_hold_is_refused_at_its_place(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        Policies.read(WHOLE | change)
    assert refused.value.detail == {"pointer": pointer}


@given(st.dictionaries(st.sampled_from([*WHOLE]), st.none() | st.booleans() | st.integers() | st.text()))
def test_any_object_is_policies_or_is_refused(value: dict[str, Any]) -> None:
    try:
        found = Policies.read(value)
    except Unprocessable:
        return
    assert Policies.read(found.to_json()) == found


@pytest.mark.parametrize("role", ROLES)
def test_nobody_gives_a_role_above_the_own(role: str) -> None:
    ADMINISTRATOR.check_may_give(role)
    Standing("owner").check_may_give(role)
    for standing in (Standing("write"), Standing("read"), Standing(None)):
        with pytest.raises(Denied):
            standing.check_may_give(role)


def test_an_admin_makes_no_owner() -> None:
    Standing("admin").check_may_give("admin")
    with pytest.raises(Denied, match="owner"):
        Standing("admin").check_may_give("owner")
    with pytest.raises(Unprocessable):
        Standing("admin").check_may_give("king")
