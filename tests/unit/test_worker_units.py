"""The transient systemd unit of a worker, as an argument list; nothing here runs systemd."""

import os
from pathlib import Path

from appliance.agent import systemd_unit

ARGUMENTS = systemd_unit.wrapped(
    ("/usr/bin/python3", "-m", "appliance.agent.worker"),
    environment={"LANG": "C.UTF-8"},
    state=Path("/var/lib/coffer"),
    memory_bytes=8 << 30,
    threads=4,
    agent_unit="coffer.service",
)


def test_the_worker_runs_in_a_unit_on_our_descriptors() -> None:
    assert ARGUMENTS[0] == "/usr/bin/systemd-run"
    assert {"--pipe", "--wait", "--collect"} <= set(ARGUMENTS)
    place = ARGUMENTS.index("--")
    assert ARGUMENTS[place + 1 :] == ("/usr/bin/python3", "-m", "appliance.agent.worker")


def test_the_unit_is_strict_bounded_and_ends_with_the_agent() -> None:
    properties = {each.removeprefix("--property=") for each in ARGUMENTS if "property" in each}

    assert {
        "NoNewPrivileges=yes",
        "PrivateNetwork=yes",
        "ProtectSystem=strict",
        "CPUQuota=400%",
        f"MemoryMax={10 << 30}",
        "BindsTo=coffer.service",
    } <= properties


def test_the_unit_sees_the_jobs_but_neither_key_nor_database() -> None:
    joined = " ".join(ARGUMENTS)

    assert "ReadWritePaths=/var/lib/coffer/jobs /var/lib/coffer/scratch" in joined
    assert "InaccessiblePaths=/var/lib/coffer/identity -/var/lib/coffer/coffer.db" in joined


def test_units_are_not_used_unless_systemd_started_the_agent() -> None:
    assert not systemd_unit.offered({})
    assert not systemd_unit.offered({"SYSTEMD_EXEC_PID": str(os.getpid() + 1)})


def test_the_agents_unit_is_read_from_its_control_group() -> None:
    assert systemd_unit.own_unit("0::/system.slice/coffer.service\n") == "coffer.service"
    assert systemd_unit.own_unit("0::/user.slice/user-0.slice/session-1.scope\n") == ""
    assert systemd_unit.own_unit("12:memory:/x.service\n") == ""
