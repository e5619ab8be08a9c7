"""One machine and its operator for all the tests here, as a start takes minutes."""

import pytest

from tests.vm.operators.operator import administered

box = pytest.fixture(scope="package")(administered)
