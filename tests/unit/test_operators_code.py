"""Set-up codes as people type them."""

import pytest

from appliance.operators.code import CODE_WORDS, SetUpCode
from appliance.operators.errors import CodeMistyped
from appliance.peering.code import Code
from appliance.peering.words import WORD_BITS, word_list


def test_a_code_has_44_random_bits_and_is_read_back_however_it_is_typed() -> None:
    made = SetUpCode.make()

    assert CODE_WORDS * WORD_BITS >= 40
    for text in (made.words, f"  {made.words.upper()}\n", made.words.replace(" ", "-")):
        assert SetUpCode.parse(text).password == made.password


def test_no_two_codes_are_the_same() -> None:
    assert len({SetUpCode.make().words for _ in range(100)}) == 100


def test_a_code_is_not_shown_by_accident() -> None:
    made = SetUpCode.make()

    assert not any(word in repr(made) for word in made.secret_words)


def test_a_set_up_code_is_never_the_password_of_an_invitation() -> None:
    words = SetUpCode.make().secret_words

    assert SetUpCode(secret_words=words).password != Code(number=0, secret_words=words).password


def test_a_mistyped_word_is_noticed_before_it_costs_a_try() -> None:
    words = SetUpCode.make().words.split()
    for place in range(len(words)):
        noticed = 0
        for other in word_list()[:50]:
            if other == words[place]:
                continue
            with_other = [*words[:place], other, *words[place + 1 :]]
            try:
                SetUpCode.parse(" ".join(with_other))
            except CodeMistyped:
                noticed += 1
        assert noticed >= 45


def test_an_unknown_word_is_named_by_its_place_with_the_nearest() -> None:
    words = SetUpCode.make().words.split()

    with pytest.raises(CodeMistyped, match="word 2 of the code") as caught:
        SetUpCode.parse(" ".join([words[0], "abandom", *words[2:]]))

    assert "abandon" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "abandon", "abandon " * 4, "abandon " * 6, "x" * 1000])
def test_what_has_not_five_words_is_no_code(text: str) -> None:
    with pytest.raises(CodeMistyped):
        SetUpCode.parse(text)
