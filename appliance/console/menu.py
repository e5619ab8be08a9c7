"""The five entries of the console's menu: what each asks, and what is done with the answers."""

import ipaddress
from collections.abc import Callable
from typing import Final

from appliance.console.dialogue import Menu, Submenu
from appliance.console.forms import Answers, AnswerUnfit, Ask, Form, Question, Values

MOST_NAME_SERVERS: Final = 4
_RECOVERY_KEY_LETTERS: Final = "cbdefghijklnrtuv"
_RECOVERY_KEY_CHARACTERS: Final = 64


def menu_of(cards: tuple[str, ...]) -> Menu:
    """Return the menu of a machine with these network cards."""
    return {
        "1": set_address(cards),
        "2": SET_UP_CODE,
        "3": RESTART,
        "4": FACTORY_RESET,
        "5": Submenu(
            title="recovery",
            entries={"1": NEW_RECOVERY_KEY, "2": BIND_ANEW, "3": OTHER_VERSION},
        ),
    }


def must_type(word: str, what: str) -> Question:
    """Return the question that only a whole word answers, so that nobody does it by accident."""

    def check(typed: str) -> str:
        if typed != word:
            raise AnswerUnfit(f'type "{word}" to {what}, or press Esc')
        return typed

    return Question(name="sure", prompt=f'type "{word}" to {what}', check=check)


def set_address(cards: tuple[str, ...]) -> Form:
    """Return the form that sets one network card's address."""

    def card(typed: str) -> str:
        if not typed and len(cards) == 1:
            return cards[0]
        if typed not in cards:
            raise AnswerUnfit(f"there are: {', '.join(cards) or 'none'}")
        return typed

    return Form(
        title="set address",
        lines=(
            "Sets one network card's address, at once and for good. Empty answers are allowed.",
            f"cards: {', '.join(cards) or 'none'}",
        ),
        questions=(
            Question(name="name", prompt="network card", check=card),
            Question(
                name="address",
                prompt="address, as 192.0.2.7/24; empty to take what the network gives (DHCP)",
                check=_interface_address,
            ),
            Question(name="gateway", prompt="gateway", check=_address, applies=_is_fixed),
            Question(
                name="dns",
                prompt="name servers, with spaces between them",
                check=_addresses,
                applies=_is_fixed,
            ),
            must_type("set", "set it"),
        ),
        ask=_set_address,
        tell=_told("the address is set"),
    )


def _is_fixed(answers: Answers) -> bool:
    return bool(answers.get("address"))


def _interface_address(typed: str) -> str:
    if not typed:
        return ""
    try:
        found = ipaddress.ip_interface(typed)
    except ValueError:
        raise AnswerUnfit(f"{typed} is no address") from None
    if "/" not in typed:
        raise AnswerUnfit("write it with its network's prefix, as 192.0.2.7/24")
    return found.with_prefixlen


def _address(typed: str) -> str:
    try:
        return str(ipaddress.ip_address(typed)) if typed else ""
    except ValueError:
        raise AnswerUnfit(f"{typed} is no address") from None


def _addresses(typed: str) -> str:
    words = typed.replace(",", " ").split()
    if len(words) > MOST_NAME_SERVERS:
        raise AnswerUnfit(f"{MOST_NAME_SERVERS} at the most")
    return " ".join(_address(word) for word in words)


def _set_address(answers: Answers) -> Ask:
    interface: dict[str, object] = {"name": answers["name"], "dhcp": "yes"}
    if _is_fixed(answers):
        interface["dhcp"] = "no"
        interface["addresses"] = [answers["address"]]
        interface["gateways"] = [answers["gateway"]] if answers["gateway"] else []
        interface["dns"] = answers["dns"].split()
    return Ask(kind="set-address", body=interface)


def _told(text: str) -> Callable[[Values], tuple[str, ...]]:
    return lambda values: (text,)


def _order(kind: str) -> Callable[[Answers], Ask]:
    return lambda answers: Ask(kind=kind)


def _set_up_code_told(values: Values) -> tuple[str, ...]:
    return (
        "On the machine that you administer from, run:",
        f"    coffer remote add NAME {values.get('address', '')}",
        "and type this code when it asks for it:",
        "",
        f"    {values.get('words', '')}",
        "",
        f"wrong codes so far: {values.get('wrong_codes', 0)}; the third ends it.",
        "It serves once. Do not let others read it.",
    )


SET_UP_CODE: Final = Form(
    title="show set-up code",
    lines=("The set-up code lets its reader administer this node. It is shown on this screen.",),
    questions=(must_type("show", "show it"),),
    ask=_order("set-up-code"),
    tell=_set_up_code_told,
)

RESTART: Final = Form(
    title="restart",
    lines=("Stops all services and starts the machine again. Jobs go on afterwards.",),
    questions=(must_type("restart", "restart"),),
    ask=_order("restart"),
    tell=_told("the machine restarts"),
)


def _serial(typed: str) -> str:
    if not typed:
        raise AnswerUnfit("type the machine's serial number, as its label has it, or press Esc")
    return typed


FACTORY_RESET: Final = Form(
    title="factory reset",
    lines=(
        "Erases the node's identity, its peers, its jobs and all tables on this machine.",
        "Nothing of it can be brought back, not even with the recovery key.",
    ),
    questions=(
        Question(name="serial", prompt="the machine's serial number", check=_serial),
        must_type("erase everything", "erase everything"),
    ),
    ask=lambda answers: Ask(kind="factory-reset", body={"serial_number": answers["serial"]}),
    tell=_told("everything is erased; the machine restarts as a new one"),
    is_slowed=True,
)


def _recovery_key(typed: str) -> str:
    """Return a recovery key as systemd writes it: eight groups of eight of sixteen letters."""
    letters = "".join(typed.lower().replace("-", " ").split())
    if len(letters) != _RECOVERY_KEY_CHARACTERS:
        raise AnswerUnfit(f"a recovery key has 64 letters, this one has {len(letters)}")
    if set(letters) - set(_RECOVERY_KEY_LETTERS):
        raise AnswerUnfit(f"a recovery key has no letters but {_RECOVERY_KEY_LETTERS}")
    return "-".join(letters[start : start + 8] for start in range(0, len(letters), 8))


def _recovery_key_told(values: Values) -> tuple[str, ...]:
    return (
        "Write this down and keep it away from the machine. It is not shown again.",
        "It opens the disk if the TPM or the firmware's keys are lost.",
        "",
        f"{values.get('recovery_key', '')}",
    )


NEW_RECOVERY_KEY: Final = Form(
    title="make a recovery key",
    lines=("Makes a new recovery key for the disk and shows it once. An older one ends.",),
    questions=(must_type("make", "make it"),),
    ask=_order("add-recovery-key"),
    tell=_recovery_key_told,
)

BIND_ANEW: Final = Form(
    title="bind the disk to this machine's TPM anew",
    lines=(
        "Needed after the firmware's keys have changed or the disk has moved to another machine.",
        "It opens the disk and brings back the node's identity. Restart after it.",
    ),
    questions=(
        Question(name="recovery_key", prompt="recovery key", check=_recovery_key),
        must_type("bind", "bind it"),
    ),
    ask=lambda answers: Ask(kind="bind-disk", body={"recovery_key": answers["recovery_key"]}),
    tell=_told("the disk is bound to this machine's TPM"),
    is_slowed=True,
)

OTHER_VERSION: Final = Form(
    title="start the other version",
    lines=("Restarts with the version in the other slot, if there is one that verifies.",),
    questions=(must_type("other", "start it"),),
    ask=_order("start-other-slot"),
    tell=_told("the machine restarts with its other version"),
)
