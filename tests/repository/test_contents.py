"""What must stand in docstrings, on the permissions page and in messages."""

import ast
import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest

import services
from appliance.accounts.roles import Power
from appliance.agent.permissions import PERMISSIONS, Caller
from appliance.api import agent_pb2, peer_pb2
from services import wire
from services.registry import SERVICES
from services.wire import Column, Number, Size
from tests.repository import tree

# Bytes of messages that may be printed, each for its reason; all others are secret().
PUBLIC_BYTES: Final = {
    "Agreement.session",  # a hash of the contract's, which every party holds
}

# Calls by which people prove who they are, before they may do anything.
PROVING: Final = {
    f"/coffer.agent.v1.Accounts/{call}"
    for call in (
        *("BeginEnrolment", "FinishEnrolment", "BindAccount", "ChangePassword"),
        *("IssueToken", "ShowSelf"),
    )
}
# Powers whose calls are still to come.
WAITING_POWERS: Final = {Power.MANAGE_POLICIES}


def docstrings_of_roles() -> dict[str, str]:
    return {tree.shown(path, node): ast.get_docstring(node) or "" for path, node in tree.roles()}


@pytest.mark.parametrize("heading", ["Model:", "Leaks:", "Cost:"])
def test_each_public_role_says_its_model_its_leaks_and_its_cost(heading: str) -> None:
    found = docstrings_of_roles()

    assert found
    assert [place for place, text in found.items() if heading not in text] == []


@pytest.mark.parametrize("name", list(SERVICES))
def test_each_service_declares_all_that_a_person_must_know(name: str) -> None:
    service = SERVICES[name]
    module = importlib.import_module(service.load.__module__)

    assert service.title
    assert service.version >= 1
    assert service.roles
    assert service.stages
    assert service.schema()["additionalProperties"] is False
    for heading in ("Model:", "Leaks:"):
        assert heading in (module.__doc__ or ""), heading


def test_permissions_name_every_rpc_and_nothing_else() -> None:
    declared = {
        f"/{service.full_name}/{method.name}"
        for file in (agent_pb2.DESCRIPTOR, peer_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }

    assert set(PERMISSIONS) == declared


def test_no_rpc_serves_both_our_own_people_and_peers_or_strangers_and_anybody() -> None:
    owners = {Caller.LOCAL, Caller.OPERATOR}
    own = owners | {Caller.CONSOLE}

    for method, rule in PERMISSIONS.items():
        callers = rule.callers
        assert callers
        if method.startswith("/coffer.agent."):
            assert owners <= callers <= own, method
        else:
            assert callers.isdisjoint(own), method
        for stranger in (Caller.INVITED, Caller.ENROLLING):
            assert callers == {stranger} or stranger not in callers, method


def test_each_call_of_the_nodes_people_asks_for_a_power_and_no_other_does() -> None:
    for method, rule in PERMISSIONS.items():
        asks = method.startswith("/coffer.agent.") and method not in PROVING
        assert (rule.power is not None) == asks, method


def test_each_power_is_asked_for_by_a_call_or_waits_for_one_that_is_named_here() -> None:
    asked = {rule.power for rule in PERMISSIONS.values() if rule.power is not None}

    assert set(Power) - asked == WAITING_POWERS


def test_the_console_is_shown_things_and_can_change_nothing_but_the_recovery_key() -> None:
    methods = {method for method, rule in PERMISSIONS.items() if Caller.CONSOLE in rule.callers}

    assert "/coffer.agent.v1.Operators/ShowSetUpCode" in methods
    methods.remove("/coffer.agent.v1.Machine/AddRecoveryKey")
    assert all(method.rpartition("/")[2].startswith(("Show", "List")) for method in methods)


def message_types() -> Iterator[type[Any]]:
    """Yield every message type that any service declares."""
    for found in pkgutil.walk_packages(services.__path__, "services."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "_coffer_layout"):
                yield value


def filled(kind: Column | Size | Number) -> object:
    """Return a field's value that would be seen if it were shown."""
    match kind:
        case Column(dtype=dtype, width=width):
            return np.ones((3, width) if width else 3, dtype=dtype)
        case Size(count=count):
            return b"S" * count
        case Number():
            return 424_242


@pytest.mark.parametrize("message_type", dict.fromkeys(message_types()))
def test_no_message_shows_rows_or_bytes_in_its_repr(message_type: type[Any]) -> None:
    layout = wire.layout_of(message_type)
    fields = {field.name: field for field in dataclasses.fields(message_type)}

    shown = repr(message_type(**{name: filled(kind) for name, kind in layout.kinds}))

    for name, kind in layout.kinds:
        place = f"{message_type.__name__}.{name}"
        may_be_shown = isinstance(kind, Number) or place in PUBLIC_BYTES
        assert fields[name].repr == may_be_shown, f"{place} must be secret(), or listed as public"
        assert (f"{name}=" in shown) == may_be_shown


def test_bytes_that_are_listed_as_public_exist() -> None:
    fields = {
        f"{one.__name__}.{name}"
        for one in message_types()
        for name, kind in wire.layout_of(one).kinds
        if isinstance(kind, Size)
    }

    assert fields >= PUBLIC_BYTES


def test_messages_are_compared_by_nothing() -> None:
    assert [one for one in message_types() if "__eq__" in vars(one)] == []


def test_message_tags_are_all_different() -> None:
    types = set(message_types())

    assert len({wire.layout_of(one).tag for one in types}) == len(types) > 0
