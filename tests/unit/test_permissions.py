"""What the permissions page means for each role."""

import pytest

from appliance.accounts.roles import ADMINISTRATORS, ALL_POWERS, NO_POWERS, POWERS, Role, powers_of
from appliance.agent.permissions import PERMISSIONS, Caller, NotAdmitted, require_admitted

PEOPLE = (Caller.LOCAL, Caller.OPERATOR)
OURS = [method for method in PERMISSIONS if method.startswith("/coffer.agent.v1.")]
# By which people prove who they are, and so need no power.
PROVING = [method for method in OURS if PERMISSIONS[method].power is None]


def admitted(method: str, caller: Caller, roles: set[Role]) -> bool:
    try:
        require_admitted(method, caller, powers_of(roles))
    except NotAdmitted as error:
        assert error.remedy
        return False
    return True


def callable_by(role: Role) -> set[str]:
    """Return the services of which somebody of this role may change something."""
    reading = ("Show", "List", "Get", "Read", "Watch")
    return {
        method.split("/")[1].rpartition(".")[2]
        for method in OURS
        if PERMISSIONS[method].power is not None
        and admitted(method, Caller.LOCAL, {role})
        and not method.rpartition("/")[2].startswith(reading)
    }


def test_each_role_changes_what_is_its_own() -> None:
    assert {role: callable_by(role) for role in Role} == {
        Role.SYSTEM_ADMINISTRATOR: {"Machine", "Updates"},
        Role.SECURITY_ADMINISTRATOR: {"Accounts", "Operators", "Peers"},
        Role.AUDITOR: {"Ledger"},
        Role.DATA_OWNER: {"Datasets", "Grants", "Jobs", "Policies"},
        Role.ANALYST: {"Jobs"},
    }


@pytest.mark.parametrize("role", sorted(ADMINISTRATORS, key=str))
@pytest.mark.parametrize("caller", sorted(PEOPLE, key=str))
def test_no_administrator_may_call_anything_of_datasets_or_jobs(role: Role, caller: Caller) -> None:
    business = [method for method in OURS if ".Datasets/" in method or ".Jobs/" in method]

    assert len(business) > 10
    assert not any(admitted(method, caller, {role}) for method in business)


def test_each_call_can_be_made_by_one_of_the_three_administrators_or_the_business_alone() -> None:
    groups: list[set[Role]] = [
        *({role} for role in ADMINISTRATORS),
        {Role.DATA_OWNER, Role.ANALYST},
    ]
    for method in OURS:
        who = [roles for roles in groups if admitted(method, Caller.LOCAL, roles)]

        assert len(who) in (1, len(groups)), method


@pytest.mark.parametrize("caller", Caller)
def test_without_powers_people_may_nothing_and_others_what_is_theirs(caller: Caller) -> None:
    for method, rule in PERMISSIONS.items():
        try:
            require_admitted(method, caller, NO_POWERS)
        except NotAdmitted:
            assert caller not in rule.callers or caller in PEOPLE
        else:
            assert caller in rule.callers
            assert caller not in PEOPLE or method in PROVING


def test_a_call_that_is_not_on_the_page_is_nobodys() -> None:
    for caller in Caller:
        with pytest.raises(NotAdmitted):
            require_admitted("/coffer.agent.v1.Node/Unheard", caller, ALL_POWERS)


def test_the_refusal_names_the_power_and_the_roles_that_have_it() -> None:
    with pytest.raises(NotAdmitted, match="you may not read what jobs have computed") as caught:
        require_admitted("/coffer.agent.v1.Jobs/ReadResult", Caller.LOCAL, POWERS[Role.AUDITOR])
    assert caught.value.remedy == "that is for the analyst"
