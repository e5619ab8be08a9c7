from pathlib import Path
from typing import Final

import pytest

import firmware.cards
from firmware.cards.catalogue import DATA_FILE, Profile, parse_catalogue
from image.drivers import recipes
from image.errors import ImageError

RECIPES: Final = recipes.read()
CATALOGUE: Final = parse_catalogue(
    (Path(firmware.cards.__file__).parent / DATA_FILE).read_text(encoding="utf-8")
)
# Families whose module is in Debian's kernel already, and those without a source in Debian.
IN_DEBIANS_KERNEL: Final = {
    "qat_dh895xcc",
    "qat_dh895xccvf",
    "qat_c62x",
    "qat_c62xvf",
    "qat_c3xxx",
    "qat_c3xxxvf",
    "vfio_pci",
    "virtio_crypto",
    "uio_pci_generic",
}
ONE = """
[[recipe]]
name = "one"
profile = "qat"
why = "it is missing"
package = "linux-source-6.12"
source = "usr/src/linux-source-6.12.tar.xz"
folders = ["drivers/one"]
builds = ["drivers/one"]
settings = ["CONFIG_ONE=m"]
modules = ["one"]
"""


def test_a_card_whose_driver_has_a_source_has_a_recipe_or_debians_kernel() -> None:
    built = {
        (name.replace("-", "_"), recipe.profile) for recipe in RECIPES for name in recipe.modules
    }
    for family in CATALOGUE.family:
        is_built = (family.module, family.profile) in built
        if family.source_package is None:
            assert not is_built, f"{family.name} has a driver after all: name its source"
        else:
            assert is_built or family.module in IN_DEBIANS_KERNEL, family.name


def test_the_base_profile_builds_nothing() -> None:
    assert recipes.of_profiles(RECIPES, ["base"]) == ()
    assert {one.profile for one in recipes.of_profiles(RECIPES, ["qat", "fpga"])} == {
        Profile.QAT,
        Profile.FPGA,
    }


def test_every_patch_is_used_and_says_why_it_is_there() -> None:
    used = {name for recipe in RECIPES for name in recipe.patches}

    assert used == {file.name for file in recipes.PATCHES.iterdir()}
    for name in used:
        reason, _, change = (recipes.PATCHES / name).read_text().partition("\n--- a/")
        assert len(reason.split()) > 10
        assert change


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('name = "one"', 'name = "../one"', "name"),
        ('"drivers/one"]', '"../one"]', "folders"),
        ('"CONFIG_ONE=m"', '"--eval=boom"', "settings"),
        ('"CONFIG_ONE=m"', '"install"', "settings"),
        ('"CONFIG_ONE=m"', '"A=b\\nclean"', "settings"),
        ('modules = ["one"]', "modules = []", "modules"),
        ('modules = ["one"]', 'modules = ["one", "one"]', "one stands there twice"),
        ('profile = "qat"', 'profile = "gpu"', "profile"),
        ('why = "it is missing"', "", "why"),
        ('why = "it is missing"', 'whyever = "it is missing"', "whyever"),
    ],
)
def test_a_malformed_recipe_is_refused_and_the_fault_named(old: str, new: str, what: str) -> None:
    assert recipes.parse(ONE)[0].name == "one"
    assert old in ONE

    with pytest.raises(ImageError, match=what):
        recipes.parse(ONE.replace(old, new))


def test_the_kernel_and_its_headers_are_those_of_the_image() -> None:
    release = recipes.find_kernel(
        ["linux-base", "linux-image-amd64", "linux-image-6.12.118+deb13-amd64", "linux-source-6.12"]
    )

    assert release == "6.12.118+deb13-amd64"
    assert recipes.header_packages(release) == (
        "linux-headers-6.12.118+deb13-amd64",
        "linux-headers-6.12.118+deb13-common",
        "linux-kbuild-6.12.118+deb13",
    )
    assert recipes.header_packages("6.12.118+deb13-cloud-amd64")[1:] == (
        "linux-headers-6.12.118+deb13-common",
        "linux-kbuild-6.12.118+deb13",
    )


def test_a_module_belongs_to_the_package_that_it_is_compiled_from() -> None:
    of_nvidia = recipes.of_profiles(RECIPES, ["nvidia"])

    assert recipes.owners(of_nvidia, "6.12") == {
        "usr/lib/modules/6.12/updates/coffer/nvidia.ko": "deb:nvidia-open-kernel-dkms",
        "usr/lib/modules/6.12/updates/coffer/nvidia-uvm.ko": "deb:nvidia-open-kernel-dkms",
    }


@pytest.mark.parametrize(
    "packages",
    [
        ["linux-image-amd64"],
        ["linux-image-6.12.117+deb13-amd64", "linux-image-6.12.118+deb13-amd64"],
    ],
)
def test_an_image_without_one_kernel_is_refused(packages: list[str]) -> None:
    with pytest.raises(ImageError, match="not one kernel"):
        recipes.find_kernel(packages)
