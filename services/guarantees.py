"""What the security of a run rests on, as statements of its disclosure: of no family's own."""

from collections.abc import Mapping
from typing import Final

from services.service import Adversary, Statement, Terms, Topic

COMPUTATIONAL_BITS: Final = 128
"""What each of our protocols aims at; the length of its blocks, keys and seeds."""

SEPARATOR: Final = "; "
"""Between assumptions in one value: as a catalogue of words splits it."""

MODELS: Final = {
    Adversary.SEMI_HONEST: "adversary model: %(adversary)s: a party may study all that it "
    "receives; one that does not keep to the protocol may learn more than is stated here",
    Adversary.MALICIOUS: "adversary model: %(adversary)s: whatever a party does, it learns no more "
    "than is stated here",
}
NEEDS_NO_HONEST_PAIR: Final = (
    "who must not collude: %(colluders)s; each of the %(parties)s parties is protected from all "
    "others together"
)
HAS_NO_DEALER: Final = (
    "dealer: %(dealer)s; the parties make all random values themselves, and no third party takes "
    "part"
)
HOLDS_FOR: Final = (
    "computational security: %(computational_bits)s bits, if this holds: %(assumptions)s; "
    "statistical security: %(statistical_bits)s bits: each thing that can go wrong by chance does "
    "so in no more than one run of 2^%(statistical_bits)s"
)
NOBODY: Final = "none"

SENTENCES: Final = (*MODELS.values(), NEEDS_NO_HONEST_PAIR, HAS_NO_DEALER, HOLDS_FOR)


def guarantees(
    terms: Terms, adversary: Adversary, *, assumptions: tuple[str, ...], statistical_bits: int
) -> tuple[Statement, ...]:
    """Return what a run rests on in which nobody but the parties takes part, and all may be alone.

    assumptions:      in words, beyond which nothing breaks it in 2^COMPUTATIONAL_BITS steps.
    statistical_bits: how seldom chance makes the result wrong, or the run fail.
    """
    parties = len(terms.parties)
    return (
        _of_run(Topic.ADVERSARY, MODELS[adversary], {"adversary": adversary.value}),
        _of_run(Topic.COLLUSION, NEEDS_NO_HONEST_PAIR, {"colluders": NOBODY, "parties": parties}),
        _of_run(Topic.DEALER, HAS_NO_DEALER, {"dealer": NOBODY}),
        _of_run(
            Topic.SECURITY,
            HOLDS_FOR,
            {
                "computational_bits": COMPUTATIONAL_BITS,
                "assumptions": SEPARATOR.join(assumptions),
                "statistical_bits": statistical_bits,
            },
        ),
    )


def _of_run(topic: Topic, template: str, values: Mapping[str, str | int]) -> Statement:
    return Statement(learner=None, about=None, topic=topic, template=template, values=values)
