"""Support bundles: fifty secrets of many kinds, in all that goes into one, and none comes out."""

import gzip
import io
import json
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appliance.machine.ask import Facts
from appliance.machine.disks import Disk, Filesystem
from appliance.machine.doing import clock, network
from appliance.machine.doing.support import UNITS, collect_support
from appliance.machine.errors import OrderRefused
from appliance.machine.load import read_load
from appliance.machine.orders import CollectSupport
from appliance.machine.posture import read_posture
from appliance.machine.redaction import Redactor, vocabulary
from appliance.machine.support import collect, machine_facts, settings_facts
from tests.unit.machine_doubles import Programs, root_below, tools

PEM = """-----BEGIN {kind}-----
MHcCAQEEIIGnN0n0mK1Yq3sTz1Rk0n5bJb7Rk3bLw0bq2b9x8yq4oAoGCCqGSM49
AwEHoUQDQgAE{tail}
-----END {kind}-----"""

# What must not come out, by what it is; each is told apart by the part that is looked for.
SECRETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{
        kind: (PEM.format(kind=kind, tail=tail), (tail, "MHcCAQEEIIGnN0n0mK1Yq3sTz1Rk0n5bJb7Rk3b"))
        for kind, tail in (
            ("EC PRIVATE KEY", "q1Zk7d3Xw0"),
            ("PRIVATE KEY", "b7Yp2m9Rt4"),
            ("RSA PRIVATE KEY", "c8Xo3n8Su5"),
            ("OPENSSH PRIVATE KEY", "d9Wn4o7Tv6"),
            ("ENCRYPTED PRIVATE KEY", "e0Vm5p6Uw7"),
        )
    },
    "invitation": (
        "coffer1:hospital.example:7444/3-abandon-ability-able-about-absent",
        ("abandon", "ability", "absent", "hospital.example"),
    ),
    "invitation in words": ("3 error start system network clock", ("error start", "network clock")),
    "set-up code": ("device memory service unit time", ("device memory", "unit time")),
    "set-up code with commas": ("address, link, able, time, unit", ("address,", "link,", "able,")),
    "recovery key": (
        "cbdefghi-jklnrtuv-cbdefghi-jklnrtuv-cbdefghi-jklnrtuv-cbdefghi-vutrnlkj",
        ("cbdefghi", "vutrnlkj"),
    ),
    "password in a URL": ("https://root:hunter2x@mirror.example/file", ("hunter2x", "mirror")),
    "password in a database's URL": ("postgresql://u:pa55w0rd!@db/x", ("pa55w0rd",)),
    "password as an option": ("--password=Tr0ub4dor", ("Tr0ub4dor",)),
    "password in words": ("password is correcthorsebatterystaple", ("correcthorse",)),
    "bearer token": ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", ("eyJ",)),
    "basic authentication": ("Authorization: Basic cm9vdDpodW50ZXIy", ("cm9vdDp",)),
    "forge's token": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", ("16C7e42F",)),
    "cloud's key": ("AKIAIOSFODNN7EXAMPLE", ("IOSFODNN",)),
    "cloud's secret": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ("wJalrXUtn",)),
    "chat's token": ("xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOHcbrzqgy", ("17653672481",)),
    "cookie": ("Cookie: session=8f14e45fceea167a5a36dedd4bea2543", ("8f14e45f",)),
    "hexadecimal key": ("deadbeefcafef00ddeadbeefcafef00d", ("deadbeef",)),
    "short hexadecimal": ("0xfeedface", ("feedface",)),
    "base64 of 32 bytes": ("3q2+7wAAAAB0ZXN0a2V5bWF0ZXJpYWwhISEhISEhISE=", ("3q2+7w", "0ZXN0a")),
    "base32": ("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", ("JBSWY3DP",)),
    "one-time password's seed": ("otpauth://totp/box?secret=GEZDGNBVGY3TQOJQ", ("GEZDGNBV",)),
    "age key": ("AGE-SECRET-KEY-1QQPQYRQSZGPQYRQSZGPQYRQSZGPQYRQSZGPQYRQ", ("QQPQYRQ",)),
    "WireGuard key": ("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", ("yAnz5TF",)),
    "volume key": ("MK dump: 5a 6b 7c 8d 9e af b0 c1", ("7c 8d", "af b0")),
    "shadow line": ("root:$6$saltsalt$hashhash:19000:0", ("saltsalt", "hashhash")),
    "TPM blob": ("tpm2-blob: AJ4AIPb3l0bKAAAAAA", ("AJ4AIPb3",)),
    "node id": ("MFZWI3D-BONSGYC-YLTMRWG-C43ENR5-QXGZDMM-FZWI3DP-BONSGYY", ("MFZWI3D",)),
    "row of a table": ("4711,Erika Mustermann,1964-08-12,C50.9", ("4711", "Erika", "1964", "C50")),
    "row with blanks": ("patient 900123 Mustermann positive", ("900123", "Mustermann", "positive")),
    "row in Chinese": ("患者 张伟 身份证 110101199003078888", ("张伟", "1101011990")),
    "row as JSON": ('{"iban": "DE89370400440532013000"}', ("DE8937", "iban")),
    "row as a tuple": ("('anna@example.org', 38.5)", ("anna", "38.5")),
    "e-mail address": ("from max.mueller@klinik.example", ("mueller", "klinik")),
    "telephone number": ("+49 30 901820", ("901820", "49 30")),
    "telephone number in groups": ("030-123-456-78", ("030-123", "123-456")),
    "date of birth": ("born 12.08.64", ("12.08", "08.64")),
    "card number": ("4111 1111 1111 1111", ("4111", "1111 1111")),
    "name of a dataset": ("dataset oncology_2026 was read", ("oncology",)),
    "name of a peer": ("peer charite-berlin is lost", ("charite", "berlin")),
    "path of a table": ("/srv/coffer/datasets/hiv-cohort.csv", ("cohort", "hiv")),
    "SQL": ("SELECT diagnosis FROM visits WHERE id = 17", ("diagnosis", "visits")),
    "message of an exception": ("KeyError: 'Mustermann'", ("Mustermann",)),
    "split by marks": ("hun:ter:two:six", ("hun:", "hun")),
    "in capitals": ("PASSPHRASE=OPENSESAME", ("OPENSESAME",)),
    "between harmless words": ("failed to start swordfish on time", ("swordfish",)),
}  # fmt: skip


class Settings(BaseModel):
    """As the agent's: some are texts."""

    name: str = "x"
    token: tuple[str, ...] = ()
    worker_threads: int = 2
    is_strict: bool = True


def journal(texts: list[str]) -> str:
    """Return what journalctl would print where each text stands everywhere, by any program."""
    entries: list[Mapping[str, Any]] = []
    for text in texts:
        for source, identifier in (
            ("coffer.service", "coffer"),
            ("coffer-worker@3-1-0.service", "coffer-worker"),
            ("coffer-machine@1.service", "coffer-machine"),
            ("chrony.service", "chronyd"),
            ("init.scope", "systemd"),
            (None, "kernel"),
            (text, text),
        ):
            entries.append(
                {
                    "__REALTIME_TIMESTAMP": "1700000000000000",
                    "MESSAGE": text if len(entries) % 5 else list(text.encode()),
                    "PRIORITY": "3" if len(entries) % 2 else text,
                    "_SYSTEMD_UNIT": source,
                    "SYSLOG_IDENTIFIER": identifier,
                    "UNIT": text,
                    "CODE_FILE": f"/usr/lib/python3/appliance/{text}.py",
                    "CODE_LINE": text,
                }
            )
    return "\n".join(json.dumps(entry) for entry in entries)


def units(texts: list[str]) -> str:
    found = [("coffer.service", "running", "loaded"), ("var.mount", "mounted", "loaded")]
    planted = [(f"{text}.service", text, text) for text in texts]
    planted += [(f"coffer-worker@{text}.service", text, text) for text in texts]
    return json.dumps(
        [
            {"unit": unit, "load": load, "active": "active", "sub": sub, "description": texts[0]}
            for unit, sub, load in (*found, *planted)
        ]
    )


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Make a bundle where each secret is in everything that it is made of."""
    texts = [text for text, _ in SECRETS.values()]
    root = root_below(tmp_path)
    (root / UNITS).mkdir(parents=True)
    for unit in ("coffer.service", "coffer-worker@.service"):
        (root / UNITS / unit).touch()
    programs = Programs()
    programs.says[("systemctl", "list-units")] = units(texts)
    programs.says[("journalctl",)] = journal(texts)
    (root / network.KEPT).write_text(
        json.dumps(
            {
                "node_name": "oncology",
                "interfaces": [
                    {"name": "enp1s0", "dhcp": "no", "addresses": ["192.0.2.7/24"],
                     "domains": ["charite.berlin", "klinik.example"]},
                ],
            }
        )
    )  # fmt: skip
    (root / clock.KEPT).write_text(json.dumps([{"name": "klinik.example", "nts": True}]))
    box = tools(root, programs)

    def helper(order: BaseModel, *, tell: Any = None) -> Facts:
        assert isinstance(order, CollectSupport)
        return collect_support(order, replace(box, tell=tell))

    posture = replace(
        read_posture(root),
        is_appliance=True,
        image_version=texts[0],
        kernel=texts[5],
        lockdown=texts[6],
        usr_root_hash=texts[20],
        pcrs={7: texts[8]},
    )
    disks = [Disk(name=texts[0], model=texts[1], size_bytes=5, rotates=False, is_removable=False)]
    mounted = [
        Filesystem(place=text, kind=text, size_bytes=1, free_bytes=1, is_read_only=False)
        for text in texts
    ]
    own = {
        "machine": machine_facts(posture, read_load(tmp_path), (), disks, mounted),
        "settings": settings_facts(Settings(name=texts[10], token=tuple(texts))),
    }
    yield unpacked(collect(helper, own))


def unpacked(bundle: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(bundle))) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name] = file.read().decode()
    return found


def test_there_are_fifty_secrets() -> None:
    assert len(SECRETS) >= 50


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_comes_out(planted: dict[str, str], kind: str) -> None:
    _, parts = SECRETS[kind]
    files = json.loads(planted.pop("coffer-support/MANIFEST.json"))["files"]

    # Digests are left out: short parts occur in them by chance.
    for name, text in (*planted.items(), ("manifest", " ".join(files))):
        for part in parts:
            assert part.lower() not in text.lower(), (name, part)


def test_what_a_vendor_needs_comes_out(planted: dict[str, str]) -> None:
    names = {name.removeprefix("coffer-support/") for name in planted}
    manifest = json.loads(planted["coffer-support/MANIFEST.json"])

    assert names == {
        "MANIFEST.json", "units.json", "network.json", "clock.json", "journal.jsonl",
        "machine.json", "settings.json",
    }  # fmt: skip
    assert manifest["files"].keys() == names - {"MANIFEST.json"}
    assert manifest["words_taken_out"] > 300
    assert {"unit": "coffer.service", "load": "loaded", "active": "active", "sub": "running"} in (
        json.loads(planted["coffer-support/units.json"])
    )
    assert json.loads(planted["coffer-support/settings.json"]) == {
        "name": True, "token": True, "worker_threads": 2, "is_strict": True,
    }  # fmt: skip
    assert "192.0.2.7/24" in planted["coffer-support/network.json"]
    said = planted["coffer-support/journal.jsonl"]
    assert '"said": "failed to start ‹9› on time"' in said
    assert '"unit": "coffer.service"' in said


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Started coffer.service.", "Started coffer.service."),
        ("eth0: Link is up", "eth0: Link is up"),
        ("exit code 203, status failed", "exit code 203, status failed"),
        ("Failed to load Evening Shift", "Failed to load ‹7› ‹5›"),
        ("error 4711", "error ‹4›"),
        ("unit time device memory", "‹4› ‹4› ‹6› ‹6›"),
        ("unit time", "unit time"),
        ("a\N{ZERO WIDTH SPACE}b", "‹3›"),
        ("ünit", "‹4›"),
        ("", ""),
    ],
)
def test_of_a_text_only_harmless_words_are_left(text: str, left: str) -> None:
    assert Redactor(["coffer.service"]).text(text) == left


def test_random_secrets_are_on_no_list() -> None:
    redactor = Redactor()
    for _ in range(2000):
        secret = secrets.token_urlsafe(9)
        assert secret not in redactor.text(f"failed {secret} failed")


def test_the_list_is_of_plain_small_words() -> None:
    assert all(word.isascii() and word.isalpha() and word.islower() for word in vocabulary())


def test_our_own_code_is_told_by_file_and_line(tmp_path: Path) -> None:
    programs = Programs()
    programs.says[("systemctl", "list-units")] = "[]"
    programs.says[("journalctl",)] = json.dumps(
        {
            "__REALTIME_TIMESTAMP": "1000",
            "MESSAGE": "job of Mustermann ended",
            "SYSLOG_IDENTIFIER": "coffer",
            "CODE_FILE": "/usr/lib/coffer/site/appliance/agent/supervisor.py",
            "CODE_LINE": "17",
        }
    )
    heard: list[Any] = []

    collect_support(CollectSupport(), tools(root_below(tmp_path), programs, heard.append))

    (said,) = [json.loads(told["text"]) for told in heard if told["file"] == "journal.jsonl"]
    assert said["said"] == "appliance/agent/supervisor.py:17"


def test_a_bundle_that_grows_beyond_all_limits_is_refused() -> None:
    def helper(order: BaseModel, *, tell: Any = None) -> Facts:
        while True:
            tell({"file": "journal.jsonl", "text": "x" * (1 << 20)})

    with pytest.raises(OrderRefused, match="too large"):
        collect(helper, {})
