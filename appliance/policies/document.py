"""Policies as their owners write them: TOML is read, and names of peers become node ids."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from appliance.identity.node_id import NodeId
from appliance.policies.errors import PolicyInvalid, nearest, quoted
from appliance.policies.policy import NEVER, Budget, ColumnRule, Policy, Security
from appliance.policies.values import FAULT

MOST_CHARACTERS: Final = 256 * 1024
# What pydantic says less plainly, with what to write.
_SAID: Final = {
    "missing": ("is missing", "write it"),
    "tuple_type": ("should be a list", 'write it as ["FIRST", "SECOND"]'),
    "dict_type": ("should be a table", "write one KEY = VALUE a line below its heading"),
    "model_type": ("should be a table", "write one KEY = VALUE a line below its heading"),
    "int_type": ("should be a whole number", "write it as 10, without quotes"),
    "bool_type": ("should be true or false", "write it without quotes"),
    "string_type": ("should be a text", "write it in quotes"),
}
_UNKNOWN_KEY: Final = "extra_forbidden"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BELOW: Final[Mapping[str, type[BaseModel]]] = {
    "budget": Budget,
    "security": Security,
    "columns": ColumnRule,
}


def parse_policy(text: str) -> Policy:
    """Read a policy from its owner's TOML.

    Raises: PolicyInvalid for the first thing that is wrong.
    """
    if len(text) > MOST_CHARACTERS:
        raise PolicyInvalid(
            "",
            f"the policy has {len(text):,} characters, at most {MOST_CHARACTERS:,}",
            remedy="name fewer columns: what is not named is never used",
        )
    try:
        said = tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        raise PolicyInvalid("", "the lists are too deep", remedy="take brackets away") from None
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        remedy = "mend it there; the document is TOML"
        raise PolicyInvalid("", what[:1].lower() + what[1:], remedy=remedy) from None
    except ValueError:
        raise PolicyInvalid("", "a number is too long", remedy="write a shorter one") from None
    return _validated(said)


def pin_peers(policy: Policy, known: Mapping[str, NodeId]) -> Policy:
    """Return the policy with node ids for names, as it is to be kept: names may change hands.

    Raises: PolicyInvalid for a name that is none of those that are known.
    """

    def pinned(peers: tuple[str, ...]) -> list[str]:
        return [known[peer].text if peer in known else peer for peer in peers]

    ids = {node.text for node in known.values()}
    for peer in policy.peers:
        if peer not in known and peer not in ids:
            remedy = nearest(peer, known, "pair with it first, or leave it out")
            raise PolicyInvalid("peers", f"there is no peer {quoted(peer)}", remedy=remedy)
    said = policy.model_dump(exclude={"peers", "columns"})
    columns = {
        name: {"uses": rule.uses or NEVER, "receivers": pinned(rule.receivers)}
        for name, rule in policy.columns.items()
    }
    return _validated(said | {"peers": pinned(policy.peers), "columns": columns})


def _validated(said: Mapping[str, object]) -> Policy:
    try:
        return Policy.model_validate(said)
    except ValidationError as error:
        found = error.errors(include_url=False)
        typos = [one for one in found if one["type"] == _UNKNOWN_KEY]
        raise _explained((typos or found)[0]) from None


def _explained(error: ErrorDetails) -> PolicyInvalid:
    places = [place for place in error["loc"] if isinstance(place, str) and place != "[key]"]
    if error["type"] == FAULT:
        said = error["ctx"]
        return PolicyInvalid(_key(places), said["what"], remedy=said["remedy"])
    if error["type"] == _UNKNOWN_KEY:
        fields = list(_part_of(places).model_fields)
        remedy = nearest(places[-1], fields, f"the keys are {', '.join(fields)}")
        return PolicyInvalid(
            _key(places[:-1]), f"there is no key {quoted(places[-1])}", remedy=remedy
        )
    what = error["msg"].lower().removeprefix("value error, ").removeprefix("input ")
    what, remedy = _SAID.get(error["type"], (what, "mend it in the policy"))
    return PolicyInvalid(_key(places), what, remedy=remedy)


def _part_of(places: list[str]) -> type[BaseModel]:
    """Return the part of the document in which a key, the last of these places, was not known."""
    return Policy if len(places) == 1 else _BELOW[places[0]]


def _key(places: list[str]) -> str:
    """Return where a value stands, as TOML names it."""
    return ".".join(one if _BARE.fullmatch(one) else quoted(one) for one in places)
