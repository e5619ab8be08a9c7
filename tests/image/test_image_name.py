"""An image of other profiles has another name, in its update bundle as on the machine."""

import platform

import pytest

from appliance.updates.running import read_here
from image.bundle import image_name
from tests.vectors.firmware_builders import image


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ({"IMAGE_ID": "coffer", "IMAGE_VERSION": "20261129.1"}, "coffer"),
        ({"IMAGE_ID": "coffer", "VARIANT_ID": "fpga-qat"}, "coffer-fpga-qat"),
    ],
)
def test_the_bundle_and_the_machine_give_the_same_name(
    release: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(f'{key}="{value}"\n' for key, value in release.items())
    kernel = image([(".linux", b"kernel"), (".osrel", text.encode() + b"\0")])
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)

    assert image_name(kernel) == name
    assert read_here().image == name
