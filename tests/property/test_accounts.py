"""What holds of roles and accounts whatever is done to them, in whatever order."""

import asyncio
import tempfile
from collections.abc import Coroutine
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.accounts.errors import RolesConflict, SessionEnded, TokenRefused
from appliance.accounts.lockout import MOST_DELAY_SECONDS, Failures
from appliance.accounts.principals import Principal
from appliance.accounts.roles import (
    ADMINISTRATORS,
    ALL_POWERS,
    BUSINESS,
    EVERYBODYS,
    NO_POWERS,
    POWERS,
    Power,
    Role,
    powers_of,
    require_compatible,
)
from services.errors import ServiceError
from tests.unit.account_doubles import OWN_UID, People

DAY: Final = 24 * 3600 * 1000
some_roles = st.frozensets(st.sampled_from(Role))
names = st.sampled_from(["sys", "sec", "aud", "wei", "li", "sec2"])


def test_the_administrators_share_nothing_but_what_everybody_may() -> None:
    for one, other in combinations(ADMINISTRATORS, 2):
        assert POWERS[one] & POWERS[other] == EVERYBODYS
    for role in ADMINISTRATORS:
        assert POWERS[role].isdisjoint(BUSINESS)
    assert all(powers >= EVERYBODYS for powers in POWERS.values())


def test_each_power_is_somebodys_and_no_role_has_all() -> None:
    assert powers_of(Role) == ALL_POWERS
    assert powers_of(()) == NO_POWERS
    assert set(POWERS) == set(Role)


@pytest.mark.parametrize(
    ("power", "roles"),
    [
        (Power.READ_LEDGER, {Role.AUDITOR}),
        (Power.EXPORT_LEDGER, {Role.AUDITOR}),
        (Power.PRUNE_LEDGER, {Role.AUDITOR}),
        (Power.MANAGE_ACCOUNTS, {Role.SECURITY_ADMINISTRATOR}),
        (Power.MANAGE_PEERS, {Role.SECURITY_ADMINISTRATOR}),
        (Power.ORDER_MACHINE, {Role.SYSTEM_ADMINISTRATOR}),
        (Power.APPROVE_JOBS, {Role.DATA_OWNER}),
        (Power.READ_RESULTS, {Role.ANALYST}),
    ],
)
def test_what_must_be_one_roles_is_that_ones_alone(power: Power, roles: set[Role]) -> None:
    assert {role for role in Role if power in POWERS[role]} == roles


@given(some_roles)
def test_whoever_may_hold_roles_together_has_the_powers_of_one_administrator_or_of_none(
    roles: frozenset[Role],
) -> None:
    try:
        require_compatible(roles)
    except RolesConflict:
        assert not roles or (len(roles) > 1 and roles & ADMINISTRATORS)
        return
    held = powers_of(roles) - EVERYBODYS
    beyond = {role for role in Role if held & (POWERS[role] - EVERYBODYS)}
    assert roles <= {Role.DATA_OWNER, Role.ANALYST} or len(beyond) == 1


@given(st.lists(st.integers(0, DAY), min_size=1, max_size=40))
def test_nobody_ever_waits_longer_than_the_longest_delay(gaps: list[int]) -> None:
    failures, now = Failures(), DAY
    for gap in gaps:
        now += gap
        failures = failures.after_another(now)
        assert failures.wait_seconds(now) <= MOST_DELAY_SECONDS
        assert failures.wait_seconds(now + round(MOST_DELAY_SECONDS * 1000)) == 0


class Administration(RuleBasedStateMachine):
    """Anybody does anything to accounts, by any way that calls can come."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.people = People(Path(self.folder.name))
        self.words: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def teardown(self) -> None:
        self.people.store.close()
        self.loop.close()
        self.folder.cleanup()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it, or hear why not."""
        try:
            return self.loop.run_until_complete(work)
        except ServiceError:
            return None

    def by(self, name: str) -> Principal:
        known = [one.name for one in self.people.accounts.all()]
        return self.people.by(name) if name in known else OWN_UID

    @initialize()
    def set_up(self) -> None:
        self.run(self.people.set_up())

    @rule(by=names, name=names, roles=some_roles, enrols=st.booleans())
    def create(self, by: str, name: str, roles: frozenset[Role], enrols: bool) -> None:
        made = self.run(self.people.accounts.create(self.by(by), name, roles))
        if made is not None and enrols:
            self.run(self.people.enrol(made))

    @rule(by=names, name=names, roles=some_roles)
    def change_roles(self, by: str, name: str, roles: frozenset[Role]) -> None:
        self.run(self.people.accounts.change_roles(self.by(by), name, roles))

    @rule(by=names, name=names)
    def disable(self, by: str, name: str) -> None:
        self.run(self.people.accounts.disable(self.by(by), name))

    @rule(by=names, name=names, enrols=st.booleans())
    def renew(self, by: str, name: str, enrols: bool) -> None:
        made = self.run(self.people.accounts.renew_enrolment(self.by(by), name))
        if made is not None and enrols:
            self.run(self.people.enrol(made))

    @rule(name=names)
    def log_in(self, name: str) -> None:
        if name in self.people.keys:
            word = self.run(self.people.log_in(name))
            if word is not None:
                self.words[name] = word

    @rule(name=names, uid=st.integers(1001, 1002))
    def bind(self, name: str, uid: int) -> None:
        word = self.words.get(name, "")
        self.run(self.people.accounts.bindings.bind(Principal.of_uid(uid), word))

    @rule(by=names, uid=st.integers(1001, 1002))
    def release(self, by: str, uid: int) -> None:
        self.run(self.people.accounts.bindings.release(self.by(by), Principal.of_uid(uid)))

    @rule(name=names, scope=st.frozensets(st.sampled_from(Power), max_size=3))
    def issue(self, name: str, scope: frozenset[Power]) -> None:
        accounts = self.people.accounts
        try:
            holder = accounts.logins.account_of(self.words.get(name, ""))
        except SessionEnded:
            return
        end = self.people.now + DAY
        text = self.run(accounts.tokens.issue(holder, "jobs", scope, expires_milliseconds=end))
        if text is not None:
            self.tokens[name] = text

    @rule()
    def restart(self) -> None:
        self.people.accounts = self.people.again()
        self.run(self.people.accounts.load())

    @invariant()
    def no_account_holds_what_does_not_go_together(self) -> None:
        for one in self.people.accounts.all():
            require_compatible(one.roles)

    @invariant()
    def somebody_can_say_who_may_do_what(self) -> None:
        accounts = self.people.accounts.all()
        left = [one for one in accounts if Role.SECURITY_ADMINISTRATOR in one.roles]
        assert not accounts or any(not one.is_disabled for one in left)

    @invariant()
    def whoever_is_disabled_may_nothing(self) -> None:
        for one in self.people.accounts.all():
            if one.is_disabled:
                assert one.powers == NO_POWERS
                assert self.people.accounts.tokens.of(one.name) == ()
                with pytest.raises(SessionEnded):
                    self.people.accounts.logins.account_of(self.words.get(one.name, ""))

    @invariant()
    def a_token_never_does_more_than_its_account(self) -> None:
        for name, text in self.tokens.items():
            try:
                account, powers = self.loop.run_until_complete(
                    self.people.accounts.tokens.use(text)
                )
            except TokenRefused:
                continue
            assert account.name == name
            assert powers <= account.powers

    @invariant()
    def a_uid_acts_as_one_account_at_the_most(self) -> None:
        accounts = self.people.accounts.all()
        bound = [principal for one in accounts for principal in one.bound_to]
        assert len(bound) == len(set(bound))
        for uid in (1001, 1002):
            acts_as = self.people.accounts.find_of(Principal.of_uid(uid))
            powers = self.people.accounts.powers_of(Principal.of_uid(uid))
            assert powers == (acts_as.powers if acts_as and accounts else NO_POWERS)

    @invariant()
    def what_memory_says_is_what_the_disk_says(self) -> None:
        again = self.people.again()
        self.loop.run_until_complete(again.load())
        assert again.all() == self.people.accounts.all()


TestAdministration = Administration.TestCase
TestAdministration.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
