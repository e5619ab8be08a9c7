"""Logging in, being kept out, and going out again."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import Parameters, extract_parameters
from argon2.profiles import CHEAPEST

from appliance.accounts import store as table
from appliance.accounts.acts import ActKind
from appliance.accounts.errors import (
    LoginBusy,
    LoginDelayed,
    LoginRefused,
    PasswordUnfit,
    SecretSealed,
    SessionEnded,
    TokenNotFound,
    TokenRefused,
    TokenUnfit,
)
from appliance.accounts.lockout import (
    FIRST_DELAY_SECONDS,
    FORGOTTEN_SECONDS,
    FREE_TRIES,
    FREE_TRIES_OF_SOURCE,
    MOST_DELAY_SECONDS,
    Failures,
)
from appliance.accounts.roles import Power, Role
from appliance.accounts.sessions import IDLE_MILLISECONDS, MOST_EACH, MOST_MILLISECONDS
from tests.unit.account_doubles import ABROAD, HOME, PASSWORD, People, with_people

DAY = 24 * 3600 * 1000


async def fail(people: People, name: str, source: str, times: int = 1) -> None:
    """Try wrong passwords, waiting as long as is asked for."""
    for _ in range(times):
        try:
            await people.log_in(name, "wrong kettle wednesday", "000000", source)
        except LoginRefused:
            continue
        except LoginDelayed as delayed:
            people.pass_seconds(delayed.seconds)
            with pytest.raises(LoginRefused):
                await people.log_in(name, "wrong kettle wednesday", "000000", source)
        else:
            pytest.fail("a wrong password was taken")


def test_a_login_needs_password_and_code_and_says_not_which_is_wrong(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        said = set()
        for name, password, code in (
            ("sec", "wrong kettle wednesday", people.code("sec")),
            ("sec", PASSWORD, "000000"),
            ("sec", PASSWORD, ""),
            ("nobody", PASSWORD, "000000"),
        ):
            with pytest.raises(LoginRefused) as caught:
                await people.log_in(name, password, code)
            said.add((caught.value.what, caught.value.remedy))
        assert len(said) == 1

        word = await people.log_in("sec")

        assert people.accounts.logins.account_of(word).name == "sec"
        assert people.kinds()[-5:] == [ActKind.LOGIN_FAILED] * 4 + [ActKind.LOGGED_IN]
        assert people.acts[-2].account == people.acts[-2].name == ""
        assert people.acts[-1].by == people.by("sec")
        assert people.acts[-2].by is None

    with_people(tmp_path, test)


def test_a_code_logs_in_once_also_after_a_restart(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        code = people.code("sec")
        await people.accounts.logins.log_in("sec", PASSWORD, code, source=HOME)

        with pytest.raises(LoginRefused):
            await people.accounts.logins.log_in("sec", PASSWORD, code, source=HOME)
        people.accounts = people.again()
        await people.accounts.load()
        with pytest.raises(LoginRefused):
            await people.accounts.logins.log_in("sec", PASSWORD, code, source=HOME)

    with_people(tmp_path, test)


def test_of_two_logins_with_one_code_at_once_one_is_let_in(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        code = people.code("sec")
        done = await asyncio.gather(
            *(
                people.accounts.logins.log_in("sec", PASSWORD, code, source=source)
                for source in (HOME, ABROAD)
            ),
            return_exceptions=True,
        )

        assert sorted(type(one).__name__ for one in done) == ["LoginRefused", "str"]

    with_people(tmp_path, test)


def test_a_wrong_password_uses_no_code_up(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        code = people.code("sec")
        with pytest.raises(LoginRefused):
            await people.accounts.logins.log_in("sec", "x" * 12, code, source=HOME)

        assert await people.accounts.logins.log_in("sec", PASSWORD, code, source=HOME)

    with_people(tmp_path, test)


def test_a_recovery_code_stands_in_for_the_authenticator_once(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        first, second, *_ = people.recovery["sec"]

        assert await people.log_in("sec", code=first.lower())
        assert people.acts[-1].facts["factor"] == "recovery code"
        with pytest.raises(LoginRefused):
            await people.log_in("sec", code=first)
        with pytest.raises(LoginRefused):
            await people.log_in("aud", code=second)
        assert await people.log_in("sec", code=second)

    with_people(tmp_path, test)


def test_five_wrong_tries_are_free_and_then_each_costs_twice_the_time(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await fail(people, "sec", ABROAD, FREE_TRIES)
        expected = FIRST_DELAY_SECONDS
        while expected < MOST_DELAY_SECONDS:
            with pytest.raises(LoginDelayed) as caught:
                await people.log_in("sec", source=ABROAD)
            assert caught.value.seconds == pytest.approx(expected)
            people.pass_seconds(expected - 1)
            with pytest.raises(LoginDelayed):
                await people.log_in("sec", source=ABROAD)
            people.pass_seconds(1)
            with pytest.raises(LoginRefused):
                await people.log_in("sec", "wrong kettle wednesday", source=ABROAD)
            expected *= 2
        with pytest.raises(LoginDelayed) as caught:
            await people.log_in("sec", source=ABROAD)
        assert caught.value.seconds == pytest.approx(MOST_DELAY_SECONDS)

        people.pass_seconds(MOST_DELAY_SECONDS)
        assert await people.log_in("sec", source=ABROAD)
        await fail(people, "sec", ABROAD)

    with_people(tmp_path, test)


def test_tries_on_a_name_that_nobody_has_are_counted_the_same(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await fail(people, "nobody", ABROAD, FREE_TRIES)

        with pytest.raises(LoginDelayed) as caught:
            await people.log_in("nobody", code="000000", source=ABROAD)
        assert caught.value.seconds == pytest.approx(FIRST_DELAY_SECONDS)

    with_people(tmp_path, test)


def test_a_crowd_that_guesses_cannot_shut_the_holder_out_of_the_usual_place(
    tmp_path: Path,
) -> None:
    async def test(people: People) -> None:
        await people.log_in("sec", source=HOME)
        for place in range(40):
            await fail(people, "sec", f"203.0.113.{place}")
        with pytest.raises(LoginDelayed):
            await people.log_in("sec", source="203.0.113.99")

        assert await people.log_in("sec", source=HOME)
        await fail(people, "sec", HOME, FREE_TRIES)
        with pytest.raises(LoginDelayed):
            await people.log_in("sec", source=HOME)

    with_people(tmp_path, test)


def test_the_count_of_wrong_tries_outlives_a_restart(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        await fail(people, "sec", ABROAD, FREE_TRIES)
        people.accounts = people.again()
        await people.accounts.load()

        with pytest.raises(LoginDelayed):
            await people.log_in("sec", source="203.0.113.1")

    with_people(tmp_path, test)


def test_a_source_that_tries_one_password_on_many_accounts_is_delayed(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        for number in range(FREE_TRIES_OF_SOURCE):
            await fail(people, f"account{number}", ABROAD)

        with pytest.raises(LoginDelayed):
            await people.log_in("sec", source=ABROAD)
        assert await people.log_in("sec", source=HOME)

    with_people(tmp_path, test)


def test_wrong_tries_are_forgotten_after_a_day_and_a_clock_set_back_shuts_nobody_out() -> None:
    failures = Failures()
    for _ in range(FREE_TRIES + 20):
        failures = failures.after_another(DAY)

    assert failures.wait_seconds(DAY) == MOST_DELAY_SECONDS
    assert failures.wait_seconds(DAY - 1) == 0
    later = DAY + round(FORGOTTEN_SECONDS * 1000) + 1
    assert failures.after_another(later).count == 1


def test_more_than_a_few_at_once_from_one_source_are_told_to_come_again(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        done = await asyncio.gather(
            *(people.log_in("nobody", code="000000") for _ in range(6)), return_exceptions=True
        )

        assert sum(isinstance(one, LoginBusy) for one in done) == 4
        assert await people.log_in("sec")

    with_people(tmp_path, test)


def test_guesses_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        done = await asyncio.gather(
            *(people.log_in("sec", "x" * 12, source=f"203.0.113.{n}") for n in range(12)),
            return_exceptions=True,
        )

        assert sum(isinstance(one, LoginRefused) for one in done) == FREE_TRIES
        assert sum(isinstance(one, LoginDelayed) for one in done) == 12 - FREE_TRIES

    with_people(tmp_path, test)


def test_a_guess_whose_caller_hangs_up_is_counted_and_holds_its_place(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        for number in range(FREE_TRIES):
            guess = asyncio.create_task(
                people.log_in("sec", "x" * 12, "000000", f"203.0.113.{number}")
            )
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            guess.cancel()
            await asyncio.gather(guess, return_exceptions=True)
            while people.accounts.logins._waiting:
                await asyncio.sleep(0.01)

        assert people.kinds()[-FREE_TRIES:] == [ActKind.LOGIN_FAILED] * FREE_TRIES
        with pytest.raises(LoginDelayed):
            await people.log_in("sec", source=ABROAD)

    with_people(tmp_path, test)


@pytest.mark.parametrize("name", ["", "\ud800", "sec\x00", "' OR 1=1", "x" * 100_000, "SEC"])
def test_any_text_is_a_name_that_nobody_has(tmp_path: Path, name: str) -> None:
    async def test(people: People) -> None:
        with pytest.raises(LoginRefused):
            await people.log_in(name, PASSWORD, people.code("sec"))

    with_people(tmp_path, test)


def test_a_session_ends_by_idleness_by_age_and_by_going_out(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        logins = people.accounts.logins
        idle, old, gone = [await people.log_in("sec") for _ in range(3)]
        await logins.log_out(gone)
        with pytest.raises(SessionEnded):
            logins.account_of(gone)
        assert people.kinds()[-1] is ActKind.LOGGED_OUT
        pause = IDLE_MILLISECONDS * 3 // 4
        began = people.now
        while people.now + pause - began < MOST_MILLISECONDS - 60_000:
            people.now += pause
            assert logins.account_of(old)
        with pytest.raises(SessionEnded):
            logins.account_of(idle)

        people.now += pause
        with pytest.raises(SessionEnded):
            logins.account_of(old)

    with_people(tmp_path, test)


@pytest.mark.parametrize("word", ["", "x", "\ud800", "x" * 10_000])
def test_what_is_no_sessions_word_is_refused(tmp_path: Path, word: str) -> None:
    async def test(people: People) -> None:
        with pytest.raises(SessionEnded):
            people.accounts.logins.account_of(word)

    with_people(tmp_path, test)


def test_a_clock_that_is_set_back_ends_sessions(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        word = await people.log_in("sec")
        people.now -= 3600 * 1000

        with pytest.raises(SessionEnded):
            people.accounts.logins.account_of(word)

    with_people(tmp_path, test)


def test_an_account_has_so_many_sessions_and_no_more(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        words = [await people.log_in("sec") for _ in range(MOST_EACH + 1)]

        with pytest.raises(SessionEnded):
            people.accounts.logins.account_of(words[0])
        assert all(people.accounts.logins.account_of(word) for word in words[1:])

    with_people(tmp_path, test)


def test_a_new_password_ends_the_other_sessions_and_the_old_password(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        logins, new = people.accounts.logins, "orange kettle thursday"
        other, own = await people.log_in("sec"), await people.log_in("sec")
        with pytest.raises(PasswordUnfit):
            await logins.change_password(own, PASSWORD, "short")
        with pytest.raises(LoginRefused):
            await logins.change_password(own, "wrong kettle wednesday", new)

        await logins.change_password(own, PASSWORD, new)

        assert logins.account_of(own)
        with pytest.raises(SessionEnded):
            logins.account_of(other)
        with pytest.raises(LoginRefused):
            await people.log_in("sec")
        assert await people.log_in("sec", new)
        assert ActKind.PASSWORD_CHANGED in people.kinds()

    with_people(tmp_path, test)


def test_a_login_stores_the_password_by_the_parameters_of_today(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        dearer = Parameters(**asdict(CHEAPEST) | {"memory_cost": 64})
        people.accounts = people.again(parameters=dearer)
        await people.accounts.load()

        await people.log_in("sec")

        row = await people.store.run(lambda session: table.find_by_name(session, "sec"))
        assert row is not None
        assert extract_parameters(row.password_hash).memory_cost == 64
        await people.log_in("sec")

    with_people(tmp_path, test)


def test_where_the_sealing_key_is_gone_a_login_says_so(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        people.accounts = people.again(None)
        await people.accounts.load()

        with pytest.raises(SecretSealed):
            await people.log_in("sec")

    with_people(tmp_path, test, sealing_key=b"k" * 32)


def test_a_token_does_what_its_scope_and_its_account_both_may(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        tokens = people.accounts.tokens
        await people.make("wei", Role.ANALYST, Role.DATA_OWNER)
        wei = people.accounts.logins.account_of(await people.log_in("wei"))
        scope = {Power.READ_JOBS, Power.SUBMIT_JOBS}
        text = await tokens.issue(wei, "nightly", scope, expires_milliseconds=people.now + DAY)
        assert await tokens.use(text) == (wei, frozenset(scope))

        await people.accounts.change_roles(people.by("sec"), "wei", {Role.DATA_OWNER})

        account, powers = await tokens.use(text)
        assert (account.name, powers) == ("wei", frozenset({Power.READ_JOBS}))
        with pytest.raises(TokenUnfit):
            await tokens.issue(account, "other", scope, expires_milliseconds=people.now + DAY)

    with_people(tmp_path, test)


def test_a_token_ends_in_time_or_when_it_is_revoked_also_after_a_restart(tmp_path: Path) -> None:
    async def test(people: People) -> None:
        tokens = people.accounts.tokens
        await people.make("wei", Role.ANALYST)
        wei = people.accounts.logins.account_of(await people.log_in("wei"))
        made = {
            name: await tokens.issue(
                wei, name, {Power.READ_JOBS}, expires_milliseconds=people.now + DAY
            )
            for name in ("a", "b")
        }
        with pytest.raises(TokenUnfit):
            await tokens.issue(wei, "a", {Power.READ_JOBS}, expires_milliseconds=people.now + DAY)
        used = people.now
        await tokens.use(made["b"])

        await tokens.revoke(people.by("wei"), "wei", "a")

        with pytest.raises(TokenRefused):
            await tokens.use(made["a"])
        with pytest.raises(TokenNotFound):
            await tokens.revoke(people.by("wei"), "wei", "a")
        again = people.again()
        await again.load()
        assert [(one.name, one.last_used_milliseconds) for one in again.tokens.of("wei")] == [
            ("b", used)
        ]
        assert (await again.tokens.use(made["b"]))[0] == wei
        people.pass_seconds(timedelta(days=1).total_seconds())
        for one in (tokens, again.tokens):
            with pytest.raises(TokenRefused):
                await one.use(made["b"])

    with_people(tmp_path, test)
