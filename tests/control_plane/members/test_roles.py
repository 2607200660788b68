"""The table of roles, as the product promises it."""

from uuid import uuid4

import pytest

from control_plane.members import PERMISSIONS, ROLES, Member
from control_plane.members.roles import DEEDS, DESCRIPTIONS, check_role
from kernel.errors import Forbidden, InvalidInput

READING = {"apps.read", "usage.read", "members.read"}
PROMISED = {
    "owner": set(DEEDS),
    "admin": set(DEEDS) - {"organization.own"},
    "developer": READING | {"apps.create", "apps.update", "keys.read", "keys.manage", "demo.use", "audit.read"},
    "billing": READING | {"billing.manage", "audit.read"},
    "viewer": READING,
}


def member(role: str) -> Member:
    return Member(
        account_id=uuid4(),
        email="ada@example.com",
        name="Ada",
        organization_id=uuid4(),
        organization_name="Analytical",
        role=check_role(role),
    )


def test_each_role_may_what_was_promised_and_nothing_else() -> None:
    assert {role: set(PERMISSIONS[role]) for role in ROLES} == PROMISED
    assert set(DESCRIPTIONS) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_refusal_says_what_is_lacking_and_who_can_give_it(role: str) -> None:
    someone = member(role)
    for permission in DEEDS:
        if permission in PROMISED[role]:
            someone.require(permission)
            assert someone.may(permission)
            continue
        assert not someone.may(permission)
        with pytest.raises(Forbidden, match=f"Your role in Analytical is {role}") as caught:
            someone.require(permission)
        assert DEEDS[permission] in caught.value.message
        givers = "An owner of" if permission == "organization.own" else "An owner or admin of"
        assert f"{givers} Analytical" in caught.value.message
        assert caught.value.data["permission"] == permission
        assert caught.value.data["granted_to"] == [name for name in ROLES if permission in PROMISED[name]]


@pytest.mark.parametrize("text", ["", "Owner", "root", "owner "])
def test_what_is_no_role_is_named(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_role(text)
    assert caught.value.data["field"] == "role"
