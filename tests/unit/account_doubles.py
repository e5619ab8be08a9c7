"""A node with nothing but accounts, on a real database; its clock is set by hand."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from argon2 import Parameters
from argon2.profiles import CHEAPEST
from sqlalchemy.orm import Session

from appliance.accounts.accounts import Accounts
from appliance.accounts.acts import AccountAct, ActKind
from appliance.accounts.opening import Enrolling
from appliance.accounts.passwords import Passwords
from appliance.accounts.principals import Principal
from appliance.accounts.roles import Role
from appliance.accounts.totp import STEP_SECONDS, TOTPKey
from appliance.store.database import Store

PASSWORD: Final = "purple kettle wednesday"  # noqa: S105 (a double's)
HOME: Final = "192.0.2.7"
ABROAD: Final = "198.51.100.9"
OWN_UID: Final = Principal.of_uid(1000)
NAMES: Final = {
    Role.SYSTEM_ADMINISTRATOR: "sys",
    Role.SECURITY_ADMINISTRATOR: "sec",
    Role.AUDITOR: "aud",
}


def code_of(key: TOTPKey, now_milliseconds: int) -> str:
    """Return what an authenticator shows."""
    return key._codes().generate(now_milliseconds // 1000).decode()


class People:
    """Accounts, what they noted, and the authenticators of those who enrolled."""

    def __init__(self, folder: Path, sealing_key: bytes | None = None) -> None:
        self.now = 1_764_500_000_000
        self.acts: list[AccountAct] = []
        self.refuses_notes = False
        self.keys: dict[str, TOTPKey] = {}
        self.recovery: dict[str, tuple[str, ...]] = {}
        self.store = Store.open(folder)
        self.accounts = self.again(sealing_key)

    def again(
        self, sealing_key: bytes | None = None, parameters: Parameters = CHEAPEST
    ) -> Accounts:
        """Return the accounts as a restarted agent makes them."""
        return Accounts(
            self.store,
            note=self._note,
            now_milliseconds=lambda: self.now,
            sealing_key=sealing_key,
            passwords=Passwords(parameters),
        )

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1000)

    def kinds(self) -> list[ActKind]:
        return [act.kind for act in self.acts]

    def code(self, name: str) -> str:
        return code_of(self.keys[name], self.now)

    async def enrol(self, made: Enrolling, password: str = PASSWORD) -> None:
        key = await self.accounts.enrolment.begin(made.name, made.code, password)
        self.keys[made.name] = key
        self.recovery[made.name] = await self.accounts.enrolment.finish(
            made.name, made.code, self.code(made.name), source=HOME
        )
        self.pass_seconds(STEP_SECONDS)

    async def set_up(self) -> None:
        """Make the three administrators, and enrol them."""
        for made in await self.accounts.set_up(OWN_UID, NAMES):
            await self.enrol(made)

    async def make(self, name: str, *roles: Role) -> None:
        """Make an account by the security administrator's word, and enrol its holder."""
        await self.enrol(await self.accounts.create(self.by("sec"), name, roles))

    def by(self, name: str) -> Principal:
        return Principal.of_account(self.accounts._book.get(name).id)

    async def log_in(
        self, name: str, password: str = PASSWORD, code: str | None = None, source: str = HOME
    ) -> str:
        """Log in with what the authenticator shows, which then goes on to its next code."""
        shown = self.code(name) if code is None else code
        word = await self.accounts.logins.log_in(name, password, shown, source=source)
        self.pass_seconds(STEP_SECONDS)
        return word

    def _note(self, session: Session, act: AccountAct) -> None:
        if self.refuses_notes:
            raise LedgerFull
        self.acts.append(act)


class LedgerFull(Exception):
    """The ledger takes nothing more."""


Test = Callable[[People], Coroutine[Any, Any, None]]


def with_people(folder: Path, test: Test, sealing_key: bytes | None = None) -> None:
    """Run a test on a node whose three administrators have enrolled."""

    async def run() -> None:
        people = People(folder, sealing_key)
        try:
            await people.accounts.load()
            await people.set_up()
            await test(people)
        finally:
            people.store.close()

    asyncio.run(run())
