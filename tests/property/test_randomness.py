from services.randomness import System


def test_the_system_never_draws_the_same_twice() -> None:
    assert System().draw(32) != System().draw(32)
    assert len(System().draw(5)) == 5
