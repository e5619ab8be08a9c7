import os
from pathlib import Path

import pytest

from image import wheels


def test_pips_settings_become_its_environment() -> None:
    lines = [
        "global.index-url='http://index.test/simple'",
        "global.extra-index-url='file:///some/where/simple file:///else/simple'",
        "install.no-deps='true'",
        ":env:.timeout='180'",
    ]

    assert wheels.parse_pip_settings(lines) == {
        "PIP_INDEX_URL": "http://index.test/simple",
        "PIP_EXTRA_INDEX_URL": "file:///some/where/simple file:///else/simple",
        "PIP_NO_DEPS": "true",
    }


def test_of_an_index_in_files_the_folder_above_is_seen() -> None:
    assert wheels.local_paths("file:///some/where/simple http://index.test/simple") == [
        Path("/some/where")
    ]


def test_a_certificate_is_seen_as_it_is() -> None:
    assert wheels.local_paths("/etc/ssl/certs/ca.crt") == [Path("/etc/ssl/certs/ca.crt")]


def test_without_a_certificate_of_its_own_pip_trusts_whom_this_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = tmp_path / "ca-certificates.crt"
    certificates.touch()
    monkeypatch.setattr(wheels, "CERTIFICATES", certificates)
    monkeypatch.delenv("PIP_CERT", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # pip then reads no file

    found = wheels.read_pip_settings()
    monkeypatch.setenv("PIP_CERT", "/some/where/ca.crt")
    set_here = wheels.read_pip_settings()

    assert found.environment["PIP_CERT"] == str(certificates)
    assert certificates in [place.outside for place in found.seen]
    assert set_here.environment["PIP_CERT"] == "/some/where/ca.crt"
