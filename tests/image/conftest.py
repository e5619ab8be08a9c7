import datetime
from pathlib import Path

import pytest

from image import keys
from image.keys import Keys


@pytest.fixture(scope="session")
def vendor_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """All keys of a vendor."""
    folder = tmp_path_factory.mktemp("vendor") / "image-keys"
    keys.make(folder, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    return keys.read(folder)


@pytest.fixture(scope="session")
def vendor_folder(vendor_keys: Keys) -> Path:
    """The folder of the vendor's keys."""
    return vendor_keys.folder
