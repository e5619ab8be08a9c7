"""The node's people through a running agent: set up, enrolled, bound, and told apart."""

import asyncio
import base64
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from appliance.api.client import Client
from appliance.api.ways import Refused
from tests.agent.test_powers import asked, refusal, served

WORDS = "orange kettle thursday"


def shown_by(secret: str) -> str:
    """Return what an authenticator with this key shows now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    code: bytes = TOTP(key, 6, SHA1(), 30).generate(int(time.time()))  # noqa: S303
    return code.decode()


def enrol(client: Client, name: str, code: str) -> str:
    """Enrol as somebody with a code; return one of the recovery codes."""
    key = client.begin_enrolment(name, code, WORDS)
    made = client.finish_enrolment(name, code, shown_by(key.secret))
    assert len(made.codes) == 10
    return made.codes[0]


def test_a_node_is_set_up_from_afar_and_its_people_enrol_and_act(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path) as (_, operator):
            state = tmp_path / "state"
            made = await operator.ask(
                lambda client: client.set_up_accounts(
                    system_administrator="sys",
                    security_administrator="sec",
                    auditor="aud",
                    own="security-administrator",
                )
            )
            assert [one.name for one in made] == ["sys", "sec", "aud"]
            self_ = await operator.ask(lambda client: client.show_self())
            assert (self_.account.name, list(self_.account.roles)) == (
                "sec",
                ["security administrator"],
            )
            what = await refusal(operator, lambda client: client.list_entries())
            assert what == "you may not read and verify the whole ledger"

            offered = await operator.ask(
                lambda client: client.create_account("wei", ["data-owner", "analyst"])
            )
            recovery = await asked(state, lambda client: enrol(client, "wei", offered.code))
            with pytest.raises(Refused):  # the code served once
                await asked(state, lambda client: enrol(client, "wei", offered.code))
            with pytest.raises(Refused):
                await asked(
                    state, lambda client: client.bind_account("wei", "another password", recovery)
                )
            bound = await asked(state, lambda client: client.bind_account("wei", WORDS, recovery))
            assert len(bound.bound_to) == 1 and bound.bound_to[0].startswith("uid ")
            listed = await operator.ask(lambda client: client.list_accounts())
            assert {one.name: one.enrolled for one in listed} == {
                "sys": False,
                "sec": False,
                "aud": False,
                "wei": True,
            }

            entries = (await asked(state, lambda client: client.list_entries(most=500))).entries
            told = [(one.kind, json.loads(one.facts)) for one in entries]
            kinds = [kind for kind, _ in told]
            assert {"login.succeeded", "login.failed", "account.changed"} <= set(kinds)
            assert not any(WORDS in str(facts) or recovery in str(facts) for _, facts in told)

    asyncio.run(run())


def test_a_token_may_what_its_scope_says_and_no_more_until_it_is_revoked(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path) as (_, operator):
            state = tmp_path / "state"
            await operator.ask(
                lambda client: client.set_up_accounts(
                    system_administrator="sys",
                    security_administrator="sec",
                    auditor="aud",
                    own="security-administrator",
                )
            )
            offered = await operator.ask(lambda client: client.create_account("wei", ["analyst"]))
            recovery = await asked(state, lambda client: enrol(client, "wei", offered.code))

            def issue(client: Client) -> str:
                made = client.issue_token(
                    "wei",
                    WORDS,
                    recovery,
                    token="nightly",  # noqa: S106
                    scope=["read-jobs"],
                    expires_milliseconds=int((time.time() + 3600) * 1000),
                )
                return made.text

            text = await asked(state, issue)

            def by_token(client: Client) -> tuple[str, list[str]]:
                assert not client.list_jobs().jobs
                self_ = client.show_self()
                return self_.account.name, list(self_.powers)

            def use(token: str) -> tuple[str, list[str]]:
                with Client(operator.way, token=token) as client:
                    return by_token(client)

            assert await asyncio.to_thread(use, text) == ("wei", ["see the node's jobs"])

            def beyond() -> None:
                with Client(state, token=text) as client:  # the node's own user, and yet
                    client.list_datasets(peers=False)

            with pytest.raises(Refused, match="you may not see which datasets"):
                await asyncio.to_thread(beyond)
            with pytest.raises(Refused):
                await asyncio.to_thread(use, text[:-1] + "x")

            listed = await operator.ask(lambda client: client.list_tokens("wei"))
            assert [(one.token, list(one.scope)) for one in listed] == [("nightly", ["read-jobs"])]
            await operator.ask(lambda client: client.revoke_token("wei", "nightly"))
            with pytest.raises(Refused):
                await asyncio.to_thread(use, text)

    asyncio.run(run())


def test_a_role_that_is_none_is_named_with_those_that_are(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(tmp_path):
            with pytest.raises(Refused, match="there is no role 'king'") as caught:
                await asked(
                    tmp_path / "state", lambda client: client.create_account("wei", ["king"])
                )
            assert "security-administrator" in caught.value.remedy

    asyncio.run(run())
