"""One machine for all updates: those that it came back from do not spoil it for a good one."""

import pytest

from tests.vm.operators.operator import administered

box = pytest.fixture(scope="package")(administered)
