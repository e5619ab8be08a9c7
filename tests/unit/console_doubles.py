"""What tests of the console share: how a machine looks, and how one types."""

from collections.abc import Sequence

from appliance.console.dialogue import Asked, Dialogue
from appliance.console.keys import Key, Stroke
from appliance.console.menu import menu_of
from appliance.console.status import Health, Identity, Seen
from appliance.machine.posture import Posture

NODE_ID = "-".join(["ABCDEFG"] * 8)
RECOVERY_KEY = "-".join(["cbdefghi"] * 8)
FINE = Posture(
    is_appliance=True,
    image_version="20261129.1",
    kernel="6.12",
    secure_boot=True,
    lockdown="integrity",
    requires_signed_modules=True,
    has_foreign_keys=False,
    usr_root_hash="ab" * 32,
    usr_is_read_only=True,
    var_is_encrypted=True,
    pcrs={4: "04" * 32, 7: "07" * 32, 11: "0b" * 32},
    taint=0,
    is_development=False,
    confinement="coffer-console (enforce)",
    runnable=(),
    denials=(),
    damages=(),
)


def seen(
    *,
    posture: Posture = FINE,
    identity: Identity | None = None,
    failed: tuple[str, ...] = (),
    host: str = "coffer",
    var_is_open: bool = True,
) -> Seen:
    """Return how a machine looks whose agent answers."""
    answered = Identity(name="box", node_id=NODE_ID, operators_address="192.0.2.7:7445")
    return Seen(
        host=host,
        up_seconds=4000.0,
        addresses=(("eth0", "192.0.2.7"), ("eth0", "2001:db8::7")),
        slot="A",
        var_is_open=var_is_open,
        posture=posture,
        health=Health(units=(("coffer", "active"), ("nftables", "active")), failed=failed),
        identity=identity or answered,
    )


def opened() -> Dialogue:
    """Return the dialogue of a console that has just begun."""
    return Dialogue(menu=menu_of(("eth0", "eth1")))


def line(text: str) -> list[Stroke]:
    """Return the keys that type a line."""
    return [*text, Key.ENTER]


def after(
    dialogue: Dialogue, strokes: Sequence[Stroke], now: float = 0.0
) -> tuple[Dialogue, list[Asked]]:
    """Return the dialogue after keys, and all that was asked."""
    found = []
    for stroke in strokes:
        dialogue, asked = dialogue.after(stroke, now)
        if asked is not None:
            found.append(asked)
    return dialogue, found
