"""Codes, tokens, authenticators' keys, and how they lie on disk."""

import re
import secrets
from datetime import timedelta

import pytest

from appliance.accounts.codes import digest_of_code, make_code
from appliance.accounts.errors import CodeWrong, SecretSealed, TokenRefused, TokenUnfit
from appliance.accounts.roles import POWERS, Power, Role
from appliance.accounts.tokens import (
    LONGEST_LIFE,
    NEVER_BY_TOKEN,
    digest_of_token,
    make_token,
    require_fit,
)
from appliance.accounts.totp import (
    NEVER,
    RECOVERY_CODES,
    STEP_SECONDS,
    TOTPKey,
    is_totp,
    make_recovery_codes,
)
from appliance.accounts.vault import Vault
from tests.unit.account_doubles import code_of

NOW = 1_764_500_000_000
DAY = 24 * 3600 * 1000
ANALYST = POWERS[Role.ANALYST]


def test_a_code_has_80_bits_and_is_read_however_it_is_typed() -> None:
    code = make_code()

    assert re.fullmatch("[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", code)
    for typed in (code.lower(), code.replace("-", " "), f" {code}\n", code.replace("-", "")):
        assert digest_of_code(typed) == digest_of_code(code)
    assert digest_of_code(code.replace("O", "0").replace("I", "1")) == digest_of_code(code)
    assert digest_of_code(make_code()) != digest_of_code(code)
    assert len({*make_recovery_codes()}) == RECOVERY_CODES == 10


@pytest.mark.parametrize("text", ["", "x" * 100_000, "\ud800", "１２"])
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest_of_code(text)) == 32


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_one_step_off_and_each_code_is_good_once(steps: int) -> None:
    key = TOTPKey.make()
    shown = code_of(key, NOW + steps * STEP_SECONDS * 1000)

    step = key.require(shown, NOW, after=NEVER)

    assert step == NOW // 1000 // STEP_SECONDS + steps
    with pytest.raises(CodeWrong):
        key.require(shown, NOW, after=step)


def test_a_code_from_before_the_last_used_one_is_refused() -> None:
    key = TOTPKey.make()
    earlier, used = (
        code_of(key, NOW - STEP_SECONDS * 1000),
        key.require(code_of(key, NOW), NOW, after=NEVER),
    )

    with pytest.raises(CodeWrong):
        key.require(earlier, NOW, after=used)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "¹²³⁴⁵⁶", "-12345", "\ud800"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(CodeWrong):
        TOTPKey.make().require(code, NOW, after=NEVER)


def test_a_code_may_be_typed_with_a_gap_or_on_a_chinese_keyboard() -> None:
    key = TOTPKey.make()
    shown = code_of(key, NOW)
    wide = shown.translate({48 + n: 0xFF10 + n for n in range(10)})

    for typed in (f"{shown[:3]} {shown[3:]}", wide):
        assert is_totp(typed)
        assert key.require(typed, NOW, after=NEVER)
    assert not is_totp(make_code())


def test_the_address_of_a_key_says_whose_it_is_and_the_key_hides_itself() -> None:
    key = TOTPKey.make()

    uri = key.uri("wei.zhang", "hospital")

    assert uri.startswith("otpauth://totp/Coffer:wei.zhang%40hospital?")
    assert f"secret={key.text}" in uri
    assert "digits=6" in uri and "period=30" in uri and "issuer=Coffer" in uri
    assert key.text not in repr(key) and repr(key.secret) not in repr(key)


def test_a_token_can_be_found_by_a_pattern_and_checked_without_asking() -> None:
    text = make_token()

    assert re.fullmatch("coffer_[a-z2-7]{39}", text)
    assert len(digest_of_token(text)) == 32
    for place in range(len("coffer_"), len(text)):
        other = "a" if text[place] != "a" else "b"
        with pytest.raises(TokenRefused):
            digest_of_token(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "coffer_", "coffer_" + "a" * 39, "ghp_x", "coffer_" + "a" * 5000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        digest_of_token(text)


@pytest.mark.parametrize(
    ("name", "scope", "days"),
    [
        ("Nightly Jobs", {Power.READ_JOBS}, 1),
        ("", {Power.READ_JOBS}, 1),
        ("nightly", set(), 1),
        ("nightly", {Power.APPROVE_JOBS}, 1),
        ("nightly", {Power.READ_JOBS, Power.READ_LEDGER}, 1),
        ("nightly", {Power.READ_JOBS}, 0),
        ("nightly", {Power.READ_JOBS}, -1),
        ("nightly", {Power.READ_JOBS}, 366),
    ],
)
def test_a_token_has_a_name_some_of_the_powers_and_an_end(
    name: str, scope: set[Power], days: int
) -> None:
    with pytest.raises(TokenUnfit):
        require_fit(
            name, scope, ANALYST, expires_milliseconds=NOW + days * DAY, now_milliseconds=NOW
        )


def test_an_analyst_can_have_a_token_for_a_year() -> None:
    end = NOW + LONGEST_LIFE // timedelta(milliseconds=1)

    require_fit("nightly", ANALYST, ANALYST, expires_milliseconds=end, now_milliseconds=NOW)


@pytest.mark.parametrize("power", sorted(NEVER_BY_TOKEN, key=str))
def test_some_powers_are_never_a_tokens(power: Power) -> None:
    holder = next(powers for powers in POWERS.values() if power in powers)

    with pytest.raises(TokenUnfit, match="cannot be let"):
        require_fit("x", {power}, holder, expires_milliseconds=NOW + DAY, now_milliseconds=NOW)


def test_a_secret_is_sealed_for_one_account_under_one_key() -> None:
    vault, other = Vault(b"k" * 32), Vault(b"o" * 32)
    secret = secrets.token_bytes(20)

    kept = vault.seal(secret, of="wei")

    assert secret not in kept
    assert vault.unseal(kept, of="wei") == secret
    assert vault.seal(secret, of="wei") != kept
    for wrong, of in ((other, "wei"), (vault, "li"), (Vault(None), "wei")):
        with pytest.raises(SecretSealed) as caught:
            wrong.unseal(kept, of=of)
        assert caught.value.remedy
    for spoilt in (kept[:-1], kept[:5], kept[:-1] + bytes([kept[-1] ^ 1])):
        with pytest.raises(SecretSealed):
            vault.unseal(spoilt, of="wei")


def test_a_plain_secret_can_be_read_by_a_vault_that_would_seal_it() -> None:
    plain = Vault(None).seal(b"secret", of="wei")

    assert Vault(b"k" * 32).unseal(plain, of="wei") == b"secret"
    assert Vault(b"k" * 32).is_to_be_sealed(plain)
    assert not Vault(None).is_to_be_sealed(plain)
    assert not Vault(b"k" * 32).is_to_be_sealed(Vault(b"k" * 32).seal(b"secret", of="wei"))
    assert "k" * 8 not in repr(Vault(b"k" * 32))
