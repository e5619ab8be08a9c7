"""How a machine was started, read from trees of files such as the kernel gives."""

from pathlib import Path

import pytest

from appliance.machine.posture import read_posture

FINE = {
    "etc/os-release": 'ID=debian\nIMAGE_ID=coffer\nIMAGE_VERSION="20261129.1"\n# IMAGE_ID=other\n',
    "proc/self/mounts": (
        "/dev/mapper/usr /usr erofs ro,relatime 0 0\n"
        "/dev/mapper/var /var ext4 rw,nodev,noexec 0 0\nodd\n"
    ),
    "proc/cmdline": "root=tmpfs usrhash=ab12 lockdown=integrity",
    "proc/sys/kernel/osrelease": "6.12.0-amd64\n",
    "proc/sys/kernel/tainted": "4096\n",
    "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    "sys/module/module/parameters/sig_enforce": "Y\n",
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\6\0\0\0\1",
    "sys/block/dm-0/dm/name": "usr\n",
    "sys/block/dm-0/dm/uuid": "CRYPT-VERITY-00-usr\n",
    "sys/block/dm-1/dm/name": "var\n",
    "sys/block/dm-1/dm/uuid": "CRYPT-LUKS2-00-var\n",
    "proc/self/attr/apparmor/current": "coffer-agent (enforce)\n",
    "sys/class/tpm/tpm0/pcr-sha256/7": "AB" * 32 + "\n",
    "sys/class/tpm/tpm0/pcr-sha256/11": "00" * 32 + "\n",
}


def laid(root: Path, changes: dict[str, str | None]) -> Path:
    for name, text in {**FINE, **changes}.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


def test_an_appliance_as_it_should_be_has_no_problem(tmp_path: Path) -> None:
    seen = read_posture(laid(tmp_path, {}))

    assert seen.problems() == ()
    assert seen.image_version == "20261129.1"
    assert (seen.secure_boot, seen.lockdown, seen.usr_root_hash) == (True, "integrity", "ab12")
    assert seen.pcrs == {7: "ab" * 32, 11: "00" * 32}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({next(k for k in FINE if "SecureBoot" in k): "\6\0\0\0\0"}, "Secure Boot is off"),
        ({next(k for k in FINE if "SecureBoot" in k): None}, "Secure Boot is off"),
        ({"sys/kernel/security/lockdown": "[none] integrity"}, "the kernel is open"),
        ({"sys/kernel/security/lockdown": None}, "the kernel is open"),
        ({"sys/module/module/parameters/sig_enforce": "N\n"}, "the kernel takes unsigned modules"),
        (
            {"sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23": "\7\0\0\0"},
            "the kernel was given keys of others",
        ),
        ({"proc/cmdline": "root=tmpfs"}, "/usr is not checked by verity"),
        ({"sys/block/dm-0/dm/uuid": "LVM-usr"}, "/usr is not checked by verity"),
        ({"sys/block/dm-1/dm/uuid": "CRYPT-PLAIN-var"}, "/var is not encrypted"),
        ({"proc/sys/kernel/tainted": "4097"}, "the kernel is tainted (4097)"),
        (
            {f"sys/class/tpm/tpm0/pcr-sha256/{number}": None for number in (7, 11)},
            "there is no TPM 2.0",
        ),
        (
            {"proc/self/attr/apparmor/current": "coffer-agent (complain)\n"},
            "AppArmor does not confine the services",
        ),
        (
            {"proc/self/attr/apparmor/current": None},
            "AppArmor does not confine the services",
        ),
        (
            {"proc/self/mounts": FINE["proc/self/mounts"] + "tmpfs /run tmpfs rw,nosuid 0 0\n"},
            "what can be written to can be run: /run",
        ),
        (
            {
                "run/coffer-denials": 'audit: type=1400 audit(1.2:3): apparmor="DENIED" '
                'operation="open" class="file" profile="coffer-worker" name="/srv/x" pid=7 '
                'comm="coffer-worker" requested_mask="w" denied_mask="w" fsuid=1 ouid=0\n'
            },
            "AppArmor denied what a service tried (1 times), lately: coffer-worker open /srv/x w",
        ),
        (
            {
                "run/coffer-damages": "device-mapper: verity: 254:0: data block 7 is"
                " corrupted\ndevice-mapper: verity: 254:0: metadata block 50337 is corrupted\n"
            },
            "/usr is damaged (2 reads failed), lately: metadata block 50337 is corrupted",
        ),
        (
            {"etc/os-release": "IMAGE_ID=coffer\nVARIANT_ID=development-qat\n"},
            "this is a development image",
        ),
    ],
)
def test_each_thing_amiss_is_named_with_a_remedy(
    tmp_path: Path, changes: dict[str, str | None], what: str
) -> None:
    [problem] = read_posture(laid(tmp_path, changes)).problems()

    assert problem.what == what
    assert problem.remedy


def test_usr_that_is_mounted_by_other_means_is_amiss(tmp_path: Path) -> None:
    mounts = "/dev/sda2 /usr ext4 rw 0 0\n/dev/mapper/var /var ext4 rw,noexec 0 0\n"
    found = read_posture(laid(tmp_path, {"proc/self/mounts": mounts})).problems()

    assert [one.what for one in found] == [
        "/usr is not checked by verity",
        "/usr can be written to",
        "what can be written to can be run: /usr",
    ]


def test_nothing_is_promised_outside_the_appliance(tmp_path: Path) -> None:
    assert read_posture(tmp_path).problems() == ()
    assert not read_posture(tmp_path).is_appliance
    other = laid(tmp_path, {"etc/os-release": "IMAGE_ID=other\n", "proc/sys/kernel/tainted": "1"})
    assert read_posture(other).problems() == ()
