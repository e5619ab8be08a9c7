"""RFC 6238, appendix B (SHA-1): the last six of its eight digits."""

import pytest

from appliance.accounts.errors import CodeWrong
from appliance.accounts.totp import NEVER, STEP_SECONDS, TOTPKey

KEY = TOTPKey(secret=b"12345678901234567890")
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
def test_the_codes_of_the_rfc_are_good_at_their_time(seconds: int, digits: str) -> None:
    assert KEY.require(digits[-6:], seconds * 1000, after=NEVER) == seconds // STEP_SECONDS


@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
@pytest.mark.parametrize("steps", [2, 3, 1000])
def test_and_not_two_steps_later(seconds: int, digits: str, steps: int) -> None:
    with pytest.raises(CodeWrong):
        KEY.require(digits[-6:], (seconds + steps * STEP_SECONDS) * 1000, after=NEVER)
