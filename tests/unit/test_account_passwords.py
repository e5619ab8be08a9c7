import time
import unicodedata

import pytest
from argon2 import Parameters, Type
from argon2.profiles import CHEAPEST

from appliance.accounts.errors import LoginRefused, PasswordUnfit
from appliance.accounts.passwords import (
    FEWEST_CHARACTERS,
    MOST_BYTES,
    Passwords,
    require_fit,
    words_guessed_first,
)

CHEAP = Passwords(CHEAPEST)
GOOD = "purple kettle wednesday"


def test_the_right_password_is_verified_and_another_is_not() -> None:
    stored = CHEAP.hash(GOOD, name="wei")

    assert CHEAP.verify(stored, GOOD) == stored
    for wrong in ("purple kettle thursday", "", GOOD + " ", GOOD.upper(), GOOD * 100):
        with pytest.raises(LoginRefused):
            CHEAP.verify(stored, wrong)


@pytest.mark.parametrize("stored", ["", "junk", "$argon2id$v=19$m=8"])
def test_where_nothing_fit_is_stored_every_password_is_refused(stored: str) -> None:
    for tried in (GOOD, "", "\x00", "\ud800", "x" * 5000):
        with pytest.raises(LoginRefused):
            CHEAP.verify(stored, tried)


def test_an_unknown_account_costs_what_a_wrong_password_costs() -> None:
    passwords = Passwords(
        Parameters(
            type=Type.ID,
            version=19,
            salt_len=16,
            hash_len=32,
            time_cost=2,
            memory_cost=16384,
            parallelism=1,
        )
    )
    stored = passwords.hash(GOOD, name="wei")

    def seconds(kept: str) -> float:
        taken = []
        for _ in range(5):
            began = time.process_time()
            with pytest.raises(LoginRefused):
                passwords.verify(kept, "orange kettle wednesday")
            taken.append(time.process_time() - began)
        return min(taken)

    assert 0.5 < seconds("") / seconds(stored) < 2.0


def test_hashes_of_lesser_parameters_are_made_anew_when_the_password_is_known() -> None:
    dearer = Passwords(
        Parameters(
            type=Type.ID,
            version=19,
            salt_len=16,
            hash_len=32,
            time_cost=2,
            memory_cost=64,
            parallelism=1,
        )
    )
    old = CHEAP.hash(GOOD, name="wei")

    new = dearer.verify(old, GOOD)

    assert new != old
    assert dearer.verify(new, GOOD) == new
    with pytest.raises(LoginRefused):
        dearer.verify(old, "orange kettle wednesday")


def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    composed = "Zürich café élève"
    stored = CHEAP.hash(composed, name="wei")

    assert CHEAP.verify(stored, unicodedata.normalize("NFD", composed)) == stored
    assert CHEAP.verify(stored, composed.replace(" ", "\u3000")) == stored
    with pytest.raises(LoginRefused):
        CHEAP.verify(stored, composed.replace("ü", "u"))


@pytest.mark.parametrize(
    "unfit",
    [
        "short of it",
        "Passw0rd2024!",
        "P@ssw0rd1234",
        "correct horse battery staple",
        "qwertyuiopas",
        "poiuytrewq09",
        "1qaz2wsx3edc4rfv",
        "849302758392",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "kettlekettlekettle",
        "woaini5201314",
        "wei.zhang.wei.zhang",
        "Wei.Zhang2026!",
        "administrator",
        "has a\ttab in it",
        "has a\x00zero in it",
        "not \u0378 assigned yet",
        "x" * (MOST_BYTES + 1),
        "木头电池" * 100,
    ],
)
def test_what_is_guessed_first_or_cannot_be_typed_again_is_refused(unfit: str) -> None:
    with pytest.raises(PasswordUnfit) as caught:
        require_fit(unfit, name="wei.zhang")
    assert caught.value.remedy
    assert unfit not in caught.value.what


@pytest.mark.parametrize(
    "fit",
    [
        GOOD,
        "tbontbtitq-1603",
        "木头电池马正确的订书针好吧呢",
        "qpalzmwoskxn92",
        "p" * 5 + "qrstuvwxyz zyx",
    ],
)
def test_others_are_taken_without_rules_of_composition(fit: str) -> None:
    assert require_fit(fit, name="wei.zhang").decode() == fit


def test_a_long_password_is_judged_at_once() -> None:
    began = time.process_time()
    require_fit("password admin " * 60 + "kettle", name="wei")

    assert time.process_time() - began < 0.5


def test_the_length_is_counted_in_characters() -> None:
    assert require_fit("订书针好吧呢木头电池马正", name="wei")
    assert len("订书针好吧呢木头电池马正") == FEWEST_CHARACTERS


def test_the_list_is_short_and_says_where_it_is_from() -> None:
    assert 100 < len(words_guessed_first()) < 400
    assert "password" in words_guessed_first()
