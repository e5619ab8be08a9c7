"""Invitations as text."""

import pytest

from appliance.peering.addresses import parse_address
from appliance.peering.code import Code, InvitationText
from appliance.peering.errors import AddressMistyped, InvitationMistyped
from appliance.peering.pake import authentication_string
from appliance.peering.words import spell, word_list

CODE = Code(number=3, secret_words=("abandon", "ability", "able", "about"))
TEXT = InvitationText(address="hospital.example:7444", code=CODE)


def test_the_line_and_the_words_say_the_same() -> None:
    assert TEXT.text == "coffer1:hospital.example:7444/3-abandon-ability-able-about-orient"
    assert InvitationText.parse(TEXT.text) == TEXT
    assert InvitationText.parse(f"hospital.example:7444 {CODE.words}") == TEXT


@pytest.mark.parametrize(
    "typed",
    [
        "  COFFER1:Hospital.Example:7444/3-Abandon-Ability-ABLE-about-orient \n",
        "hospital.example:7444   3 abandon,ability able—about orient",
        "coffer1:hospital.example:7444 3 abandon ability able about orient",
        "hospital.example:7444/3-abandon-ability-able-about-orient",
    ],
)
def test_an_invitation_is_read_as_people_type_it(typed: str) -> None:
    assert InvitationText.parse(typed) == TEXT


@pytest.mark.parametrize("address", ["10.0.0.7:1", "[2001:db8::1]:7444", "coffer1:7444", "a:65535"])
def test_every_kind_of_address_can_be_in_an_invitation(address: str) -> None:
    invitation = InvitationText(address=address, code=CODE)

    assert InvitationText.parse(invitation.text) == invitation
    assert InvitationText.parse(f"{address} {CODE.words}") == invitation


def test_a_word_that_is_none_is_named_with_what_was_meant() -> None:
    with pytest.raises(InvitationMistyped, match="word 3 of the invitation, 'abel'") as raised:
        InvitationText.parse("h:1 3 abandon ability abel about orient")

    assert '"able"' in raised.value.remedy


@pytest.mark.parametrize(
    "typed",
    [
        "h:1 3 abandon ability able absorb orient",
        "h:1 3 ability abandon able about orient",
        "h:1 4 abandon ability able about orient",
        "h:1 3 abandon ability able about eight",
    ],
)
def test_a_wrong_word_is_noticed_where_it_is_typed(typed: str) -> None:
    with pytest.raises(InvitationMistyped):
        InvitationText.parse(typed)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "no invitation was given"),
        ("3-abandon-ability-able-about-orient", "an invitation without its address"),
        ("coffer2:h:1/3-abandon-ability-able-about-orient", "begins with coffer1:"),
        ("coffer1:h/3-abandon-ability-able-about-orient", "address"),
        ("coffer1:h:99999/3-abandon-ability-able-about-orient", "address"),
        ("h:1", "a number and 5 words"),
        ("h:1 3 abandon ability able about", "not 5 parts"),
        ("h:1 abandon ability able about orient", "not 5 parts"),
        ("h:1 ٣ abandon ability able about orient", "a number and 5 words"),
        ("h:1 3 abandon ability able about orient eight", "not 7 parts"),
        ("x" * 1000, "too long"),
    ],
)
def test_a_mistyped_invitation_says_what_is_wrong(typed: str, says: str) -> None:
    with pytest.raises(InvitationMistyped, match=says) as raised:
        InvitationText.parse(typed)

    assert raised.value.remedy


def test_the_code_shows_in_no_repr() -> None:
    assert "abandon" not in repr(TEXT)


def test_codes_are_forty_four_random_bits() -> None:
    codes = [Code.make(1) for _ in range(400)]

    assert len({code.secret_words for code in codes}) == 400
    for place in range(4):
        assert len({code.secret_words[place] for code in codes}) > 300


def test_the_authentication_string_is_the_first_sixty_six_bits() -> None:
    assert authentication_string(bytes(32)) == " ".join(["abandon"] * 6)
    assert authentication_string(b"\xff" * 32) == " ".join(["zoo"] * 6)
    assert spell(bytes((0, 0b00100000)), 1) == ("ability",)
    assert len(set(word_list())) == 2048


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("Hospital.Example:7443", "hospital.example:7443"),
        (" 10.0.0.1:1 ", "10.0.0.1:1"),
        ("[2001:DB8:0::1]:7443", "[2001:db8::1]:7443"),
        ("node_1:80", "node_1:80"),
    ],
)
def test_an_address_has_one_spelling(typed: str, address: str) -> None:
    assert parse_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "host",
        ":1",
        "host:",
        "host:0",
        "host:65536",
        "host:１",
        "ho st:1",
        "host/x:1",
        "-host:1",
        "host..x:1",
        "1.2.3:4",
        "1.2.3.400:4",
        "2001:db8::1:7443",
        "[::1:7",
        "[zz]:1",
        "unix:/tmp/x:1",
        "user@host:1",
        "a" * 64 + ":1",
        "a." * 130 + ":1",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(AddressMistyped) as raised:
        parse_address(typed)

    assert "HOST:PORT" in raised.value.remedy
