"""Profiles: what an image has beyond the base, and what of their cards stays without driver."""

from typing import Final

import pytest

from firmware.cards.catalogue import Profile
from image import lock, pipeline, places, resolve
from image.drivers import recipes, support
from image.errors import ImageError

LOCK: Final = lock.read()


def test_a_profile_of_cards_is_one_of_the_definition() -> None:
    known = resolve.wanted_of_profiles()

    assert {one.value for one in Profile} - {"base"} <= known.keys()


def test_profiles_come_in_one_order_and_once() -> None:
    assert pipeline.require_profiles(["qat", "fpga", "base", "qat"]) == ("fpga", "qat")
    assert pipeline.require_profiles([]) == ()


def test_an_unknown_profile_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(ImageError, match="no profile gpu") as refused:
        pipeline.require_profiles(["gpu"])
    assert "nvidia" in refused.value.remedy


def test_the_lock_has_what_profiles_and_drivers_need() -> None:
    for name, packages in resolve.wanted_of_profiles().items():
        has = {one.name for one in (*LOCK.of("image"), *LOCK.of(name))}
        assert set(packages) <= has, name
    kernel = recipes.find_kernel(one.name for one in LOCK.of("image"))
    assert set(recipes.packages(kernel)) == {one.name for one in LOCK.of("drivers")}


def test_what_every_image_has_comes_from_debians_main_archive() -> None:
    base = [one for name in ("image", "initrd", "tools") for one in LOCK.of(name)]

    assert [
        one.name for one in base if not one.file.startswith(("pool/main/", "pool/updates/main/"))
    ] == []


def test_firmware_of_the_catalogue_is_of_the_version_that_is_locked() -> None:
    locked = {one.name: one.version for one in LOCK.packages}
    for family in support.read_catalogue().family:
        for file in family.firmware:
            if file.package:
                assert locked[file.package] == file.package_version, file.file


def test_a_lock_of_some_sets_has_their_packages_alone() -> None:
    only = LOCK.only(("initrd", "qat"))

    assert {name for one in only.packages for name in one.sets} >= {"initrd", "qat"}
    assert all(set(one.sets) & {"initrd", "qat"} for one in only.packages)
    assert len(only.packages) < len(LOCK.packages)


def test_cards_that_stay_without_driver_or_firmware_are_named() -> None:
    assert support.gaps(["nvidia"]) == []
    assert support.gaps([]) == []
    assert any("qat_4xxx.bin" in line for line in support.gaps(["qat"]))
    assert any("xclmgmt" in line for line in support.gaps(["fpga"]))


def test_no_profile_brings_a_way_in() -> None:
    forbidden = {"openssh-server", "login", "sudo", "apt", "dkms", "gcc", "make"}
    for name in resolve.wanted_of_profiles():
        assert not {one.name for one in LOCK.of(name)} & forbidden


def test_each_profile_says_what_it_is_for() -> None:
    for folder in places.PROFILES.iterdir():
        assert (folder / "mkosi.conf").read_text().startswith("# ")
