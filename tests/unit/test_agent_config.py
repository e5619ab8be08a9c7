import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.agent import config as config_module
from appliance.agent.config import read_config
from services.errors import ConfigError


def test_defaults_need_no_file(tmp_path: Path) -> None:
    config = read_config(tmp_path, {})

    assert config.listen_port == 7443
    assert config.pairing_listen == "0.0.0.0:7444"
    assert config.api_socket == tmp_path / "api.sock"


@pytest.mark.parametrize("name", ["coffer", "box.example.org"])
def test_peers_are_told_a_full_name_or_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: name)

    host, _, port = read_config(tmp_path, {}).reachable_at.rpartition(":")

    assert port == "7443"
    assert host == name if "." in name else ip_address(host).version == 4


def test_of_several_addresses_a_peer_is_told_the_one_on_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {"192.0.2.1": "10.0.2.15", "10.77.0.2": "10.77.0.1"}
    monkeypatch.setattr(socket, "getfqdn", lambda: "hospital")
    monkeypatch.setattr(config_module, "_address_towards", lambda host: ways.get(host, ""))
    given = read_config(tmp_path, {})

    assert given.reachable_from("10.77.0.2") == "10.77.0.1:7443"
    assert given.reachable_from("192.0.2.1") == given.reachable_at == "10.0.2.15:7443"
    assert given.reachable_from("") == given.reachable_from("no.way.invalid") == given.reachable_at
    named = read_config(tmp_path, {"advertise": "hospital.example:9"})
    assert named.reachable_from("10.77.0.2") == "hospital.example:9"


def test_a_peer_on_this_machine_is_told_what_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "hospital")
    given = read_config(tmp_path, {})

    assert given.reachable_from("127.0.0.1") == given.reachable_at


def test_command_line_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "coffer.toml").write_text('name = "filed"\nlisten = "127.0.0.1:1"\n')

    config = read_config(tmp_path, {"listen": "127.0.0.1:2", "name": None})

    assert (config.name, config.listen) == ("filed", "127.0.0.1:2")


def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "coffer.toml").write_text('lisen = "127.0.0.1:1"\n')

    with pytest.raises(ConfigError, match="unknown setting lisen") as caught:
        read_config(tmp_path, {})

    assert caught.value.remedy == 'did you mean "listen"?'


@pytest.mark.parametrize("address", ["7443", "host:", ":1", "host:70000", "host:x"])
def test_a_malformed_address_names_its_key(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="setting listen: must be HOST:PORT"):
        read_config(tmp_path, {"listen": address})


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "coffer.toml").write_text("= 1")

    with pytest.raises(ConfigError, match=r"coffer\.toml"):
        read_config(tmp_path, {})


def test_a_missing_file_named_by_the_environment_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COFFER_CONFIG", str(tmp_path / "none.toml"))

    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path, {})


def test_a_state_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long for a Unix socket"):
        read_config(tmp_path / ("x" * 120), {})


@pytest.mark.parametrize("name", ["hospital", "检验所", "Klinik-Süd", "lab_2"])
def test_a_name_has_letters_of_any_script(tmp_path: Path, name: str) -> None:
    assert read_config(tmp_path, {"name": name}).name == name


@pytest.mark.parametrize("name", ["", "-lab", "a/b", "a\nb", "x" * 65])
def test_a_name_that_peers_would_refuse_is_refused_here(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="setting name: a node's name"):
        read_config(tmp_path, {"name": name})


def test_the_pairing_port_is_not_the_peer_port(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pairing_port must not be the peer port"):
        read_config(tmp_path, {"listen": "127.0.0.1:7443", "pairing_port": 7443})


def test_after_the_last_port_comes_no_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pairing_port must be named"):
        read_config(tmp_path, {"listen": "127.0.0.1:65535"})


def test_operators_have_no_port_unless_one_is_named(tmp_path: Path) -> None:
    config = read_config(tmp_path, {})

    assert (config.operators_listen, config.enrolment_listen, config.console_uid) == ("", "", None)


def test_new_operators_come_to_the_next_port(tmp_path: Path) -> None:
    given = {"operators_listen": "192.0.2.7:7445", "listen": "192.0.2.7:7443"}

    config = read_config(tmp_path, given)

    assert config.enrolment_listen == "192.0.2.7:7446"
    assert config.operators_reachable_at == "192.0.2.7:7445"
    other = read_config(tmp_path, given | {"enrolment_port": 9})
    assert other.enrolment_listen == "192.0.2.7:9"


@pytest.mark.parametrize("days", [1, 179, 36501, -1])
def test_a_ledger_is_kept_for_180_days_at_least_or_for_ever(tmp_path: Path, days: int) -> None:
    with pytest.raises(ConfigError, match="setting ledger_kept_days"):
        read_config(tmp_path, {"ledger_kept_days": days})


def test_a_ledger_that_is_to_be_kept_too_short_is_refused_as_pruning_it_is(tmp_path: Path) -> None:
    assert read_config(tmp_path, {}).ledger_kept_days == 0
    assert read_config(tmp_path, {"ledger_kept_days": 180}).ledger_kept_days == 180
    with pytest.raises(ConfigError, match="younger than 180 days are never pruned; 0 keeps all"):
        read_config(tmp_path, {"ledger_kept_days": 179})


@pytest.mark.parametrize(
    "given",
    [
        {"operators_listen": "h:7443"},
        {"operators_listen": "h:7444"},
        {"operators_listen": "h:7442"},
        {"operators_listen": "h:1", "enrolment_port": 1},
        {"operators_listen": "h:65535"},
        {"operators_listen": "7445"},
        {"console_user": "nobody-of-this-name"},
        {"most_upload_bytes": 1},
    ],
)
def test_settings_of_operators_that_do_not_fit_are_refused(
    tmp_path: Path, given: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        read_config(tmp_path, given)
