"""What is found on the appliance's status page."""

from image import status_page


def drawn(name: str, says: str) -> str:
    return f"\x1b[K{name:<12} {says}\r\n"


def test_what_was_drawn_last_counts() -> None:
    console = drawn("coffer", "activating") + drawn("chrony", "active") + drawn("coffer", "active")

    assert status_page.find(console, "coffer") == "active"


def test_of_what_goes_on_in_another_line_the_first_is_found() -> None:
    console = drawn("problems", "one ") + "\x1b[K             two\r\n"

    assert status_page.find(console, "problems") == "one"


def test_what_systemd_says_is_no_page() -> None:
    assert status_page.find("[  OK  ] Started coffer       active\r\n", "coffer") == ""
