"""Making accounts, changing what they may do, and ending them."""

import asyncio
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from appliance.accounts.acts import ActKind
from appliance.accounts.errors import (
    AccountNameInvalid,
    AccountNameTaken,
    AccountNotFound,
    EnrolmentRefused,
    LastSecurityAdministrator,
    LoginRefused,
    OwnAccount,
    PasswordUnfit,
    PrincipalUnbindable,
    RolesConflict,
    SessionEnded,
    SetUpAlready,
    SetUpIncomplete,
    TokenRefused,
)
from appliance.accounts.opening import ENROLMENT_LIFE
from appliance.accounts.principals import Principal
from appliance.accounts.roles import (
    ADMINISTRATORS,
    ALL_POWERS,
    NO_POWERS,
    POWERS,
    Power,
    Role,
)
from appliance.identity.node_id import NodeId
from appliance.store.database import FILE_NAME
from tests.unit.account_doubles import (
    HOME,
    NAMES,
    OWN_UID,
    PASSWORD,
    LedgerFull,
    People,
    with_people,
)

DAY = 24 * 3600 * 1000
OPERATOR = Principal.of_operator(NodeId.from_public_der(b"an operator's key"))


def bare(folder: Path) -> People:
    people = People(folder)
    asyncio.run(people.accounts.load())
    return people


def test_a_new_node_has_no_accounts_and_lets_in_do_everything(tmp_path: Path) -> None:
    people = bare(tmp_path)

    assert people.accounts.count == 0
    assert people.accounts.powers_of(Principal.of_uid(1001)) == ALL_POWERS
    assert people.accounts.powers_of(Principal.of_account("nobody")) == ALL_POWERS
    with pytest.raises(SetUpIncomplete):
        asyncio.run(people.accounts.create(OWN_UID, "wei", {Role.ANALYST}))


def test_the_first_accounts_are_exactly_the_three_administrators(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        roles = {one.name: one.roles for one in people.accounts.all()}

        assert roles == {name: frozenset({role}) for role, name in NAMES.items()}
        assert people.kinds()[:3] == [ActKind.CREATED] * 3
        assert people.accounts.powers_of(Principal.of_uid(1001)) == NO_POWERS
        with pytest.raises(SetUpAlready):
            await people.accounts.set_up(
                OWN_UID, {role: f"{name}2" for role, name in NAMES.items()}
            )

    with_people(tmp_path, test)


@pytest.mark.parametrize(
    "names",
    [
        {},
        {role: name for role, name in NAMES.items() if role is not Role.AUDITOR},
        NAMES | {Role.ANALYST: "wei"},
        dict.fromkeys(ADMINISTRATORS, "one"),
    ],
)
def test_no_other_first_accounts_are_made(tmp_path: Path, names: dict[Role, str]) -> None:
    people = bare(tmp_path)

    with pytest.raises(SetUpIncomplete):
        asyncio.run(people.accounts.set_up(OWN_UID, names))
    assert people.accounts.count == 0
    assert people.acts == []


def test_an_operator_who_sets_a_node_up_is_one_of_the_three_from_then_on(tmp_path: Path) -> None:
    people = bare(tmp_path)
    assert people.accounts.powers_of(OPERATOR) == ALL_POWERS

    with pytest.raises(SetUpIncomplete):
        asyncio.run(people.accounts.set_up(OPERATOR, NAMES))
    asyncio.run(people.accounts.set_up(OPERATOR, NAMES, own=Role.SYSTEM_ADMINISTRATOR))

    assert people.accounts.powers_of(OPERATOR) == POWERS[Role.SYSTEM_ADMINISTRATOR]
    again = people.again()
    asyncio.run(again.load())
    assert again.powers_of(OPERATOR) == POWERS[Role.SYSTEM_ADMINISTRATOR]


def test_an_operator_who_is_bound_to_none_may_what_this_branch_leaves_it(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        assert people.accounts.powers_of(OPERATOR) == NO_POWERS

    with_people(tmp_path, test)


@pytest.mark.parametrize("name", ["", "Wei", "9wei", "wei zhang", "wei\n", "魏", "w" * 33, "../x"])
def test_a_name_that_could_be_mistaken_is_refused(tmp_path: Path, name: str) -> None:
    async def test(people: People) -> None:
        with pytest.raises(AccountNameInvalid):
            await people.accounts.create(people.by("sec"), name, {Role.ANALYST})

    with_people(tmp_path, test)


def test_a_name_is_never_anothers_also_once_its_account_has_ended(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        await people.accounts.disable(people.by("sec"), "wei")

        with pytest.raises(AccountNameTaken):
            await people.accounts.create(people.by("sec"), "wei", {Role.DATA_OWNER})

    with_people(tmp_path, test)


@pytest.mark.parametrize(
    "roles",
    [
        set(),
        {Role.AUDITOR, Role.SECURITY_ADMINISTRATOR},
        {Role.AUDITOR, Role.ANALYST},
        {Role.SYSTEM_ADMINISTRATOR, Role.DATA_OWNER},
        set(Role),
    ],
)
def test_no_account_is_made_or_changed_to_hold_what_does_not_go_together(
    tmp_path: Path, roles: set[Role]
) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        with pytest.raises(RolesConflict):
            await people.accounts.create(people.by("sec"), "li", roles)
        with pytest.raises(RolesConflict):
            await people.accounts.change_roles(people.by("sec"), "wei", roles)

    with_people(tmp_path, test)


def test_roles_change_at_once_and_stay_changed(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        word = await people.log_in("wei")

        await people.accounts.change_roles(people.by("sec"), "wei", {Role.DATA_OWNER})

        assert people.accounts.logins.account_of(word).powers == POWERS[Role.DATA_OWNER]
        assert dict(people.acts[-1].facts) == {"before": "analyst", "after": "data owner"}
        assert people.acts[-1].by == people.by("sec")
        again = people.again()
        await again.load()
        assert again.powers_of(people.by("wei")) == POWERS[Role.DATA_OWNER]

    with_people(tmp_path, test)


def test_nobody_changes_the_own_account_by_whatever_way_they_come(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("sec2", Role.SECURITY_ADMINISTRATOR)
        await people.accounts.bindings.bind(Principal.of_uid(1001), await people.log_in("sec"))
        await people.accounts.bindings.bind(OPERATOR, await people.log_in("sec"))
        for by in (people.by("sec"), Principal.of_uid(1001), OPERATOR):
            with pytest.raises(OwnAccount):
                await people.accounts.change_roles(by, "sec", {Role.AUDITOR})
            with pytest.raises(OwnAccount):
                await people.accounts.disable(by, "sec")
            with pytest.raises(OwnAccount):
                await people.accounts.renew_enrolment(by, "sec")

        await people.accounts.change_roles(people.by("sec2"), "sec", {Role.AUDITOR})

    with_people(tmp_path, test)


def test_the_last_security_administrator_who_can_log_in_stays(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        accounts = people.accounts
        unready = await accounts.create(people.by("sec"), "sec2", {Role.SECURITY_ADMINISTRATOR})
        with pytest.raises(LastSecurityAdministrator):
            await accounts.disable(OWN_UID, "sec")
        with pytest.raises(LastSecurityAdministrator):
            await accounts.change_roles(OWN_UID, "sec", {Role.ANALYST})

        await people.enrol(unready)
        await accounts.disable(OWN_UID, "sec")

        with pytest.raises(LastSecurityAdministrator):
            await accounts.disable(OWN_UID, "sec2")

    with_people(tmp_path, test)


def test_two_who_remove_each_other_leave_one(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("sec2", Role.SECURITY_ADMINISTRATOR)

        done = await asyncio.gather(
            people.accounts.disable(people.by("sec"), "sec2"),
            people.accounts.disable(people.by("sec2"), "sec"),
            return_exceptions=True,
        )

        assert sum(isinstance(one, LastSecurityAdministrator) for one in done) == 1
        assert sum(not one.is_disabled for one in people.accounts.all()) == 3

    with_people(tmp_path, test)


def test_a_disabled_account_has_lost_all_when_the_call_returns(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        word = await people.log_in("wei")
        wei = people.accounts.logins.account_of(word)
        text = await people.accounts.tokens.issue(
            wei, "jobs", {Power.READ_JOBS}, expires_milliseconds=people.now + DAY
        )
        await people.accounts.bindings.bind(Principal.of_uid(1001), word)

        await people.accounts.disable(people.by("sec"), "wei")

        with pytest.raises(SessionEnded):
            people.accounts.logins.account_of(word)
        with pytest.raises(TokenRefused):
            await people.accounts.tokens.use(text)
        with pytest.raises(LoginRefused):
            await people.log_in("wei")
        with pytest.raises(LoginRefused):
            await people.log_in("wei", code=people.recovery["wei"][0])
        assert people.accounts.powers_of(Principal.of_uid(1001)) == NO_POWERS
        assert people.accounts.tokens.of("wei") == ()
        again = people.again()
        await again.load()
        assert again.powers_of(people.by("wei")) == NO_POWERS
        with pytest.raises(TokenRefused):
            await again.tokens.use(text)

    with_people(tmp_path, test)


def test_whoever_was_logged_in_makes_nothing_lasting_of_an_account_that_is_disabled_meanwhile(
    tmp_path: Path,
) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        word = await people.log_in("wei")
        wei = people.accounts.logins.account_of(word)

        done = await asyncio.gather(
            people.accounts.disable(people.by("sec"), "wei"),
            people.accounts.bindings.bind(Principal.of_uid(1001), word),
            people.accounts.tokens.issue(
                wei, "jobs", {Power.READ_JOBS}, expires_milliseconds=people.now + DAY
            ),
            people.accounts.logins.log_in("wei", PASSWORD, people.code("wei"), source=HOME),
            return_exceptions=True,
        )

        assert [type(one) for one in done[1:]] == [SessionEnded, SessionEnded, LoginRefused]
        assert people.accounts.tokens.of("wei") == ()

    with_people(tmp_path, test)


def test_a_renewed_enrolment_ends_what_was_and_brings_a_disabled_account_back(
    tmp_path: Path,
) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        word = await people.log_in("wei")
        await people.accounts.disable(people.by("sec"), "wei")

        made = await people.accounts.renew_enrolment(people.by("sec"), "wei")

        with pytest.raises(SessionEnded):
            people.accounts.logins.account_of(word)
        with pytest.raises(LoginRefused):
            await people.log_in("wei")
        await people.enrol(made, "orange kettle thursday")
        assert await people.log_in("wei", "orange kettle thursday")

    with_people(tmp_path, test)


def test_an_enrolment_code_is_good_once_for_a_day_and_for_its_account(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        enrolment = people.accounts.enrolment
        wei = await people.accounts.create(people.by("sec"), "wei", {Role.ANALYST})
        li = await people.accounts.create(people.by("sec"), "li", {Role.ANALYST})
        for name, code in (("wei", li.code), ("nobody", wei.code), ("wei", ""), ("sec", "")):
            with pytest.raises(EnrolmentRefused):
                await enrolment.begin(name, code, PASSWORD)

        await people.enrol(wei)
        people.pass_seconds(ENROLMENT_LIFE.total_seconds())

        for made in (wei, li):
            with pytest.raises(EnrolmentRefused):
                await enrolment.begin(made.name, made.code, PASSWORD)
        assert wei.code not in repr(wei)

    with_people(tmp_path, test)


def test_nothing_is_kept_of_an_enrolment_that_breaks_off(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        enrolment = people.accounts.enrolment
        made = await people.accounts.create(people.by("sec"), "wei", {Role.ANALYST})
        with pytest.raises(PasswordUnfit):
            await enrolment.begin("wei", made.code, "too short")
        with pytest.raises(EnrolmentRefused):
            await enrolment.finish("wei", made.code, "123456", source=HOME)
        await enrolment.begin("wei", made.code, PASSWORD)
        with pytest.raises(LoginRefused):
            await people.log_in("wei", code="123456")

        renewed = await people.accounts.renew_enrolment(people.by("sec"), "wei")
        with pytest.raises(EnrolmentRefused):
            await enrolment.finish("wei", renewed.code, "123456", source=HOME)

        await people.enrol(renewed)

    with_people(tmp_path, test)


def test_a_uid_acts_as_the_account_whose_holder_binds_it_until_it_is_released(
    tmp_path: Path,
) -> None:
    async def test(people: People) -> None:
        uid = Principal.of_uid(1001)
        await people.make("wei", Role.ANALYST)
        await people.make("li", Role.DATA_OWNER)
        await people.accounts.bindings.bind(uid, await people.log_in("wei"))
        assert people.accounts.powers_of(uid) == POWERS[Role.ANALYST]

        await people.accounts.bindings.bind(uid, await people.log_in("li"))
        assert people.accounts.powers_of(uid) == POWERS[Role.DATA_OWNER]
        assert {one.name: one.bound_to for one in people.accounts.all() if one.bound_to} == {
            "li": (uid,)
        }

        await people.accounts.bindings.release(people.by("sec"), uid)
        assert people.accounts.powers_of(uid) == NO_POWERS
        with pytest.raises(PrincipalUnbindable):
            await people.accounts.bindings.release(people.by("sec"), uid)
        with pytest.raises(PrincipalUnbindable):
            await people.accounts.bindings.bind(people.by("li"), await people.log_in("wei"))
        with pytest.raises(SessionEnded):
            await people.accounts.bindings.bind(uid, "no session")

    with_people(tmp_path, test)


@pytest.mark.parametrize("way", ["release", "disable", "renew"])
def test_an_operators_key_that_was_an_accounts_gets_no_more_by_losing_it(
    tmp_path: Path, way: str
) -> None:
    async def test(people: People) -> None:
        accounts = people.accounts
        await people.make("wei", Role.ANALYST)
        await accounts.bindings.bind(OPERATOR, await people.log_in("wei"))

        if way == "release":
            await accounts.bindings.release(people.by("sec"), OPERATOR)
        elif way == "disable":
            await accounts.disable(people.by("sec"), "wei")
        else:
            await people.enrol(await accounts.renew_enrolment(people.by("sec"), "wei"))

        again = people.again()
        await again.load()
        for one in (accounts, again):
            assert one.powers_of(OPERATOR) == NO_POWERS
        if way != "disable":
            await accounts.bindings.bind(OPERATOR, await people.log_in("wei"))
            assert accounts.powers_of(OPERATOR) == POWERS[Role.ANALYST]

    with_people(tmp_path, test)


def test_an_act_that_cannot_be_noted_does_not_happen(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        word = await people.log_in("wei")
        before = people.accounts.all()
        people.refuses_notes = True

        for refused in (
            people.accounts.create(people.by("sec"), "li", {Role.ANALYST}),
            people.accounts.change_roles(people.by("sec"), "wei", {Role.DATA_OWNER}),
            people.accounts.disable(people.by("sec"), "wei"),
            people.accounts.renew_enrolment(people.by("sec"), "wei"),
            people.accounts.bindings.bind(Principal.of_uid(1001), word),
            people.accounts.logins.log_in("wei", PASSWORD, people.code("wei"), source=HOME),
            people.accounts.logins.log_out(word),
        ):
            with pytest.raises(LedgerFull):
                await refused
        people.refuses_notes = False

        again = people.again()
        await again.load()
        assert people.accounts.all() == again.all() == before
        assert people.accounts.logins.account_of(word)
        await people.log_in("wei")

    with_people(tmp_path, test)


def test_an_account_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        with pytest.raises(AccountNotFound, match="there is no account 'wei'"):
            await people.accounts.disable(people.by("sec"), "wei")

    with_people(tmp_path, test)


def test_no_secret_is_noted_or_lies_in_the_database(tmp_path: Path) -> None:
    secrets: list[str | bytes] = []

    async def test(people: People) -> None:
        made = await people.accounts.create(people.by("sec"), "wei", {Role.ANALYST})
        await people.enrol(made)
        word = await people.log_in("wei")
        wei = people.accounts.logins.account_of(word)
        text = await people.accounts.tokens.issue(
            wei, "jobs", {Power.READ_JOBS}, expires_milliseconds=people.now + DAY
        )
        await people.accounts.logins.change_password(word, PASSWORD, "orange kettle thursday")
        with pytest.raises(LoginRefused):
            await people.log_in("my password in the wrong place", "x", "000000")
        key = people.keys["wei"]
        shown = (PASSWORD, "orange kettle", made.code, word, text, key.text, "wrong place")
        secrets.extend((*shown, *people.recovery["wei"], key.secret))
        said = (
            repr(people.acts) + repr(people.accounts.all()) + repr(people.accounts.tokens.of("wei"))
        )
        assert not [one for one in shown if one in said]

    with_people(tmp_path, test, sealing_key=os.urandom(32))

    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        content = "\n".join(connection.iterdump()).encode()
    connection.close()
    raw = (tmp_path / FILE_NAME).read_bytes()
    for guessed in (PASSWORD, "my password in the wrong place"):
        assert hashlib.sha256(guessed.encode()).hexdigest().encode() not in content.lower()
    for one in secrets:
        text = one.encode() if isinstance(one, str) else one
        assert text not in content and text not in raw
        assert text.hex().encode() not in content.lower()


def test_secrets_that_lay_plain_are_sealed_once_there_is_a_key(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await people.make("wei", Role.ANALYST)
        plain = people.accounts
        people.accounts = people.again(b"k" * 32)
        await people.accounts.load()

        await people.log_in("wei")

        lost = people.again(None)
        await lost.load()
        assert plain.count == lost.count

    with_people(tmp_path, test)

    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        kept = [row[0] for row in connection.execute("SELECT totp_secret FROM accounts")]
    connection.close()
    assert [secret[:1] for secret in kept] == [b"\x01"] * 4
