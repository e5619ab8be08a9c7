"""What the services' AppArmor profiles let them start, and that each service has one."""

import re
from pathlib import Path
from typing import Final

from appliance.datasets.uploads import FOLDER as UPLOADED
from appliance.updates.install import SYSUPDATE
from appliance.updates.startable import SBVERIFY
from image.places import DEFINITION

FOLDER: Final = DEFINITION / "apparmor"
UNITS: Final = DEFINITION / "mkosi.extra/usr/lib/systemd/system"
SERVICES: Final = {
    "coffer": "coffer-agent",
    "coffer-worker@": "coffer-worker",
    "coffer-console@": "coffer-console",
    "coffer-machine@": "coffer-machine",
    "coffer-machine-task@": "coffer-machine",
    "coffer-update@": "coffer-update",
    "coffer-health": "coffer-health",
    "coffer-machine-seal": "coffer-machine",
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "chrony": "chronyd",
}


def profiles() -> dict[str, str]:
    """Return the text of each profile, with what it includes."""
    policy = (FOLDER / "policy").read_text(encoding="utf-8")
    found = {}
    for name, flags, body in re.findall(r"\nprofile (\S+) (.*?)\{\n(.*?)\n\}", policy, re.DOTALL):
        assert flags.strip() == "flags=(attach_disconnected)", f"{name} is not enforced"
        found[name] = with_includes(body)
    return found


def with_includes(text: str) -> str:
    return re.sub(
        r"include <coffer/(\w+)>",
        lambda found: with_includes((FOLDER / found[1]).read_text(encoding="utf-8")),
        text,
    )


def started(body: str) -> set[str]:
    """Return the patterns of programs that a profile may start."""
    rules = re.findall(r"^ +(/\S+) (\w+),$", body, re.MULTILINE)
    return {path for path, permissions in rules if "x" in permissions}


def test_each_service_runs_with_the_profile_of_its_name() -> None:
    known = profiles()
    for unit, profile in SERVICES.items():
        assert f"\nAppArmorProfile={profile}\n" in settings_of(unit)
        assert profile in known


def settings_of(unit: str) -> str:
    """Return what the image says of a service: its own unit, or what it changes of another's."""
    own = UNITS / f"{unit}.service"
    found = own if own.exists() else UNITS / f"{unit}.service.d/50-image.conf"
    return found.read_text(encoding="utf-8")


def test_no_service_of_ours_can_run_what_it_can_write_to() -> None:
    for unit in (one for one in SERVICES if one.startswith("coffer")):
        assert "\nNoExecPaths=/ /dev /tmp /var/tmp\nExecPaths=/usr\n" in settings_of(unit), unit


def test_no_profile_lets_a_service_start_a_shell_or_what_is_not_named() -> None:
    for body in profiles().values():
        for pattern in started(body):
            assert "**" not in pattern
            names = re.findall(r"[\w.-]+", Path(pattern).name)
            assert not {"sh", "bash", "dash", "env"} & set(names)
            assert Path(pattern).name not in ("*", "{,*}")


def test_only_agent_and_console_start_the_interpreter_again() -> None:
    starting = {name for name, body in profiles().items() if "python" in "".join(started(body))}

    assert starting == {"coffer-agent", "coffer-console"}


def test_what_serves_the_network_without_need_starts_nothing() -> None:
    for name in ("prometheus", "prometheus-node-exporter", "chronyd"):
        assert started(profiles()[name]) == set()


def test_a_worker_may_read_the_tables_that_operators_send() -> None:
    assert f"/var/lib/coffer/{UPLOADED}/** r," in profiles()["coffer-worker"]


def alternatives(pattern: str) -> set[str]:
    """Return what a pattern with at most one list in braces names."""
    head, brace, rest = pattern.partition("{")
    names, _, tail = rest.partition("}")
    return {f"{head}{name}{tail}" for name in names.split(",")} if brace else {pattern}


def test_an_update_starts_what_verifies_and_writes_it_and_no_more() -> None:
    named = set().union(*map(alternatives, started(profiles()["coffer-update"])))

    writing = {SYSUPDATE, "/usr/lib/systemd/systemd-import"}
    mounting = {"/usr/bin/mount", "/usr/bin/umount"}
    assert named == {SBVERIFY, "/usr/sbin/ldconfig"} | writing | mounting
