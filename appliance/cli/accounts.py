"""``coffer accounts …``: the node's people, their roles, and what proves who they are."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from appliance.api import agent_pb2 as pb
from appliance.cli import views
from appliance.cli.terminal import clean, facts, listed, minute, moment, table, terminal_of

accounts = typer.Typer(
    no_args_is_help=True, help="The node's people: who they are, and what each may do."
)

Name = Annotated[str, typer.Argument(metavar="NAME")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        metavar="ROLE",
        help="data-owner, analyst, or one of system-administrator, security-administrator,"
        " auditor; may come again.",
    ),
]


@accounts.command("set-up")
def set_up(
    ctx: typer.Context,
    system_administrator: Annotated[str, typer.Option(metavar="NAME")],
    security_administrator: Annotated[str, typer.Option(metavar="NAME")],
    auditor: Annotated[str, typer.Option(metavar="NAME")],
    own: Annotated[
        str, typer.Option("--own", metavar="ROLE", help="Which of the three you are.")
    ] = "",
) -> None:
    """Make a new node's first accounts, its three administrators'.

    From then on whoever acts as no account may do nothing, but for the node's own user.
    """
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        made = client.set_up_accounts(
            system_administrator=system_administrator,
            security_administrator=security_administrator,
            auditor=auditor,
            own=own,
        )
    terminal.answer_list("enrolling", made, _enrolling(made))
    terminal.say("Hand each code to its person: whoever enrols with it becomes that account.")


@accounts.command("list")
def list_accounts(ctx: typer.Context) -> None:
    """List the accounts."""
    terminal_of(ctx).show_list("accounts", lambda client: client.list_accounts(), _accounts)


@accounts.command("create")
def create(ctx: typer.Context, name: Name, role: Roles) -> None:
    """Make an account, and show the code by which its holder enrols."""
    terminal_of(ctx).show(
        lambda client: client.create_account(name, role), lambda made: _enrolling([made])
    )


@accounts.command("renew")
def renew(ctx: typer.Context, name: Name) -> None:
    """Take away all that an account is used by, and show a new code for its holder."""
    terminal_of(ctx).show(
        lambda client: client.renew_enrolment(name), lambda made: _enrolling([made])
    )


@accounts.command("roles")
def roles(ctx: typer.Context, name: Name, role: Roles) -> None:
    """Have an account hold these roles and no others."""
    terminal_of(ctx).show(lambda client: client.change_roles(name, role), _account)


@accounts.command("disable")
def disable(ctx: typer.Context, name: Name) -> None:
    """End what an account may do, at once."""
    terminal_of(ctx).show(lambda client: client.disable_account(name), _account)


@accounts.command("enrol")
def enrol(ctx: typer.Context, name: Name) -> None:
    """Enrol as an account's holder: by its code, with a password and an authenticator.

    All three are asked for, or read from standard input, a line each: the code, the password, and
    what the authenticator shows once it has the key.
    """
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        code, password = _asked("Enrolment code"), _asked("New password", hidden=True, twice=True)
        key = client.begin_enrolment(name, code, password)
        terminal.say(f"Give this key to your authenticator: {key.secret}")
        if sys.stdin.isatty():
            terminal.present(views.qr_code(key.uri))
        made = client.finish_enrolment(name, code, _asked("What it shows"))
    terminal.answer(
        made, "\n".join(["These stand in for the authenticator, once each:", *made.codes])
    )


@accounts.command("bind")
def bind(ctx: typer.Context, name: Name) -> None:
    """Have this user, or with --at your operator's key, act as your account from now on."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        password, code = _asked("Password", hidden=True), _asked("Code of the authenticator")
        bound = client.bind_account(name, password, code)
    terminal.answer(bound, _account(bound))


@accounts.command("password")
def change_password(ctx: typer.Context, name: Name) -> None:
    """Change your account's password."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        password, code = _asked("Password", hidden=True), _asked("Code of the authenticator")
        new = _asked("New password", hidden=True, twice=True)
        changed = client.change_password(name, password, code, new)
    terminal.answer(changed, _account(changed))


@accounts.command("issue-token")
def issue_token(
    ctx: typer.Context,
    name: Name,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="What it is called.")],
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="POWER", help="What it may do of what you may, as submit-jobs; may come again."
        ),
    ],
    days: Annotated[int, typer.Option(metavar="DAYS", min=1, max=365)],
) -> None:
    """Make a token with which a program acts for you, and show it this once.

    Programs send it as metadata of their calls; commands take it from COFFER_TOKEN.
    """
    terminal = terminal_of(ctx)
    expires = int(time.time() * 1000) + days * 24 * 3600 * 1000
    with terminal.connect() as client:
        password, code = _asked("Password", hidden=True), _asked("Code of the authenticator")
        made = client.issue_token(
            name, password, code, token=token, scope=scope, expires_milliseconds=expires
        )
    terminal.answer(made, made.text)


@accounts.command("tokens")
def list_tokens(ctx: typer.Context, name: Name) -> None:
    """List an account's tokens."""
    terminal_of(ctx).show_list("tokens", lambda client: client.list_tokens(name), _tokens)


@accounts.command("revoke-token")
def revoke_token(
    ctx: typer.Context, name: Name, token: Annotated[str, typer.Argument(metavar="TOKEN")]
) -> None:
    """End a token, at once."""
    terminal_of(ctx).show(lambda client: client.revoke_token(name, token), _account)


@accounts.command("whoami")
def whoami(ctx: typer.Context) -> None:
    """Say who you are to the node, and what you may."""
    terminal_of(ctx).show(lambda client: client.show_self(), _self)


def _asked(what: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Ask a person, or read a line of standard input; never an argument, which others can see."""
    if sys.stdin.isatty():
        said: str = typer.prompt(what, hide_input=hidden, confirmation_prompt=twice, err=True)
        return said
    return sys.stdin.readline().rstrip("\n")


def _enrolling(made: Sequence[pb.Enrolling]) -> Table:
    shown = table("account", "roles", "enrolment code", "good until")
    for one in made:
        shown.add_row(one.name, listed(one.roles), one.code, minute(one.expires_milliseconds))
    return shown


def _accounts(found: Sequence[pb.Account]) -> Table:
    shown = table("account", "roles", "state", "enrolled", "acts for it")
    for one in found:
        state = "disabled" if one.disabled else "" if one.enrolled else "not enrolled yet"
        since = minute(one.enrolled_milliseconds) if one.enrolled_milliseconds else ""
        shown.add_row(one.name, listed(one.roles), state, since, clean(listed(one.bound_to)))
    return shown


def _tokens(found: Sequence[pb.Token]) -> Table:
    shown = table("token", "may", "good until", "last used")
    for one in found:
        used = minute(one.last_used_milliseconds) if one.last_used_milliseconds else "never"
        shown.add_row(one.token, listed(one.scope), minute(one.expires_milliseconds), used)
    return shown


def _account(one: pb.Account) -> RenderableType:
    changed = one.password_changed_milliseconds
    return facts(
        (
            ("account", one.name),
            ("roles", listed(one.roles)),
            ("state", "disabled" if one.disabled else ""),
            ("password since", moment(changed) if changed else ""),
            ("acts for it", listed(one.bound_to)),
        )
    )


def _self(one: pb.Self) -> RenderableType:
    who = one.account.name if one.HasField("account") else "no account"
    roles_ = listed(one.account.roles) if one.HasField("account") else ""
    may = "\n".join(f"• {power}" for power in one.powers) or "nothing"
    return Group(
        facts((("you are", who), ("roles", roles_), ("known by", one.principal))),
        clean(f"\nYou may:\n{may}"),
    )
