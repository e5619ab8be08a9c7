import pytest

from image.errors import ImageError
from image.mirror import Mirror, parse_mirror

LINES = (
    "Debian\thttp://mirror.test/debian/",
    "Debian\thttp://other.test/debian/",
    "Debian-Security\thttp://mirror.test/debian-security/",
    "Others\thttp://others.test/",
)


def test_the_first_archive_of_each_kind_is_taken() -> None:
    assert parse_mirror(LINES) == Mirror(
        archive="http://mirror.test/debian", security="http://mirror.test/debian-security"
    )


@pytest.mark.parametrize("missing", ["Debian", "Debian-Security"])
def test_a_machine_without_one_of_the_archives_is_refused(missing: str) -> None:
    lines = [line for line in LINES if line.partition("\t")[0] != missing]

    with pytest.raises(ImageError, match="apt names no archive"):
        parse_mirror(lines)


def test_sources_name_the_release_its_updates_and_its_security_updates() -> None:
    sources = parse_mirror(LINES).sources()

    assert "Suites: trixie trixie-updates\n" in sources
    assert "Suites: trixie-security\n" in sources
    assert sources.count("Signed-By: /") == 2
