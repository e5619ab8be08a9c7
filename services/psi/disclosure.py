"""What psi.intersect discloses, in sentences: read off the contract's terms alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.guarantees import guarantees
from services.psi.gifts import gift_of, takes_labels
from services.psi.keyed import dataset_of
from services.psi.parameters import parameters_of
from services.psi.plan import HASH_BITS, STATISTICAL_BITS, plan_of
from services.service import PartyTerms, Statement, Terms, Topic

Template = tuple[str, str, str]
"""What a party learns: as others read it, as it reads it itself, and as the other party does."""

LEARNS_SIZE: Final = (
    "%(learner)s learns how many rows %(about)s brings: %(their_rows)s",
    "you learn how many rows %(about)s brings: %(their_rows)s",
    "%(learner)s learns how many rows you bring: %(their_rows)s",
)
LEARNS_BOUND: Final = (
    "%(learner)s learns that %(about)s brings at most %(their_rows)s rows",
    "you learn that %(about)s brings at most %(their_rows)s rows",
    "%(learner)s learns that you bring at most %(their_rows)s rows",
)
LEARNS_MATCHES: Final = (
    "%(learner)s learns which of its own %(own_rows)s rows have a key that %(about)s holds too",
    "you learn which of your own %(own_rows)s rows have a key that %(about)s holds too",
    "%(learner)s learns which of its own %(own_rows)s rows have a key that you hold too",
)
LEARNS_MATCHES_BEHIND_BOUND: Final = (
    "%(learner)s learns which of its own up to %(own_rows)s rows have a key that %(about)s holds "
    "too",
    "you learn which of your own up to %(own_rows)s rows have a key that %(about)s holds too",
    "%(learner)s learns which of its own up to %(own_rows)s rows have a key that you hold too",
)
LEARNS_NO_OTHERS: Final = (
    "%(learner)s learns nothing of the keys of %(about)s that it does not hold itself",
    "you learn nothing of the keys of %(about)s that you do not hold yourself",
    "%(learner)s learns nothing of your keys that it does not hold itself",
)
CAN_GUESS: Final = (
    "if %(learner)s puts keys into its dataset that it only guesses, "
    "it learns which of them %(about)s holds",
    "if you put keys into your dataset that you only guess, "
    "you learn which of them %(about)s holds",
    "if %(learner)s puts keys into its dataset that it only guesses, "
    "it learns which of them you hold",
)
LEARNS_COLUMNS: Final = (
    "%(learner)s learns of the rows of %(about)s that match: %(columns)s",
    "you learn of the rows of %(about)s that match: %(columns)s",
    "%(learner)s learns of your rows that match: %(columns)s",
)
LEARNS_COUNTS: Final = (
    "%(learner)s learns how many rows of %(about)s have each key that matches",
    "you learn how many rows of %(about)s have each key that matches",
    "%(learner)s learns how many of your rows have each key that matches",
)
LEARNS_UNMATCHED: Final = (
    "%(learner)s learns how many rows of %(about)s match none of its own",
    "you learn how many rows of %(about)s match none of yours",
    "%(learner)s learns how many of your rows match none of its own",
)
LEARNS_ROW_COUNT: Final = (
    "%(learner)s may thereby work out how many rows %(about)s has, of which a bound was published",
    "you may thereby work out how many rows %(about)s has, of which a bound was published",
    "%(learner)s may thereby work out how many rows you have, of which you published a bound",
)
LEARNS_UNMATCHED_COLUMNS: Final = (
    "%(learner)s learns of the rows of %(about)s that match none of its own: %(columns)s",
    "you learn of the rows of %(about)s that match none of yours: %(columns)s",
    "%(learner)s learns of your rows that match none of its own: %(columns)s",
)
GIVES_UNKNOWING: Final = (
    "%(learner)s does not learn to which of its rows %(about)s gets these columns",
    "you do not learn to which of your rows %(about)s gets these columns",
    "%(learner)s does not learn to which of its rows you get these columns",
)
LEARNS_NO_MATCHES: Final = (
    "%(learner)s does not learn which keys match, but may estimate from the time taken how many do",
    "you do not learn which keys match, but may estimate from the time taken how many do",
    "",
)
GOES_FIRST: Final = (
    "%(learner)s gets its result before %(about)s does, and may stop before %(about)s gets any",
    "you get your result before %(about)s does, and could stop before %(about)s gets any",
    "%(learner)s gets its result before you do, and may stop before you get any",
)
MAY_BRING_MORE: Final = (
    "if %(learner)s does not keep to the protocol, it may test %(most_tested)s keys, and some more "
    "if it computes 2^%(collision_bits)s hashes for that",
    "if you do not keep to the protocol, you may test %(most_tested)s keys, and some more if you "
    "compute 2^%(collision_bits)s hashes for that",
    "",
)
TELLS_MATCHES: Final = (
    "what %(about)s learns is what %(learner)s says: if it lies, that is wrong",
    "what %(about)s learns is what you say",
    "what you learn is what %(learner)s says: if it lies, that is wrong",
)
WITHHOLDS_NOTHING: Final = (
    "whatever %(learner)s is to learn it is told however few keys match",
    "whatever you are to learn you are told however few keys match",
    "",
)

CURVE25519: Final = "decisional Diffie-Hellman on Curve25519, a group of order about 2^252"
RISTRETTO255: Final = "gap Diffie-Hellman in ristretto255, a group of order about 2^252"
DUAL_LPN: Final = "dual LPN over GF(2^128), regular noise in 312 places, hard as estimated"
FIXED_KEY_AES: Final = "AES under fixed keys is a random permutation"
RANDOM_ORACLES: Final = "hashes are random oracles"

ASSUMPTIONS: Final = {
    "ecdh": (CURVE25519, RANDOM_ORACLES),
    "rr22": (RISTRETTO255, DUAL_LPN, FIXED_KEY_AES, RANDOM_ORACLES),
}
"""By protocol, those of its roles' docstrings (``Model:``)."""


def disclose(terms: Terms) -> tuple[Statement, ...]:
    """Return what each party learns of the other's data, and what that rests on."""
    given = [", ".join(gift_of(terms, rank).columns) for rank in (0, 1)]
    plan = plan_of(terms, gives_labels=takes_labels(terms))
    values: list[Mapping[str, str | int]] = [
        {
            "columns": given[about],
            "most_tested": plan.most_tested(1 - about),
            "collision_bits": HASH_BITS // 2,
        }
        for about in (0, 1)
    ]
    return (
        *statements(terms, lambda learner: _templates(terms, learner, 1 - learner), values),
        *withheld(
            terms,
            lambda learner: (WITHHOLDS_NOTHING,) if terms.parties[learner].receives else (),
        ),
        *guarantees(
            terms,
            plan.adversary,
            assumptions=ASSUMPTIONS[plan.protocol],
            statistical_bits=STATISTICAL_BITS,
        ),
    )


def size_of(terms: Terms, about: int) -> Template:
    """Return what the other party learns of how many rows this one brings."""
    return LEARNS_BOUND if dataset_of(terms.parties[about]).is_bound else LEARNS_SIZE


def withheld(
    terms: Terms,
    templates: Callable[[int], tuple[Template, ...]],
    values: Mapping[str, str | int] | None = None,
) -> tuple[Statement, ...]:
    """Return what each of two parties is not told where few rows stand behind it."""
    return statements(terms, templates, (values or {},) * 2, topic=Topic.WITHHELD)


def statements(
    terms: Terms,
    templates: Callable[[int], tuple[Template, ...]],
    values: Sequence[Mapping[str, str | int]],
    topic: Topic = Topic.LEARNS,
) -> tuple[Statement, ...]:
    """Return what each of two parties learns of the other.

    templates: by the rank of who learns.
    values:    what these may use beside names and row counts, by the rank whose data it is.
    """
    return tuple(
        Statement(
            learner=learner,
            about=about,
            topic=topic,
            template=template,
            to_us=to_us,
            of_us=of_us,
            values={
                "learner": terms.parties[learner].name,
                "about": terms.parties[about].name,
                "own_rows": dataset_of(terms.parties[learner]).row_count,
                "their_rows": dataset_of(terms.parties[about]).row_count,
                **values[about],
            },
        )
        for learner, about in ((0, 1), (1, 0))
        for template, to_us, of_us in templates(learner)
    )


def _templates(terms: Terms, learner: int, about: int) -> tuple[Template, ...]:
    us, them = terms.parties[learner], terms.parties[about]
    if not us.receives:
        unknowing = (GIVES_UNKNOWING,) if takes_labels(terms) else ()
        return size_of(terms, about), LEARNS_NO_MATCHES, *unknowing
    gift = gift_of(terms, about)
    gives_keys = gift.gives_unmatched and not set(gift.columns).isdisjoint(dataset_of(them).key)
    no_others = () if gives_keys else (LEARNS_NO_OTHERS,)
    matches = LEARNS_MATCHES_BEHIND_BOUND if dataset_of(us).is_bound else LEARNS_MATCHES
    learns = (size_of(terms, about), matches, *no_others, CAN_GUESS)
    return learns + _of_gift(terms, about) + _of_role(terms, us, them)


def _of_gift(terms: Terms, giver: int) -> tuple[Template, ...]:
    gift = gift_of(terms, giver)
    found: tuple[Template, ...] = ()
    if gift.columns:
        found += (LEARNS_COLUMNS,)
        found += (LEARNS_COUNTS,) if gift.is_by_all else ()
    if gift.gives_unmatched:
        found += (LEARNS_UNMATCHED,)
        found += (LEARNS_ROW_COUNT,) if dataset_of(terms.parties[giver]).is_bound else ()
        found += (LEARNS_UNMATCHED_COLUMNS,) if gift.columns else ()
    return found


def _of_role(terms: Terms, us: PartyTerms, them: PartyTerms) -> tuple[Template, ...]:
    tells = us.role == "receiver" and bool(them.receives)
    found: tuple[Template, ...] = (GOES_FIRST,) if tells else ()
    if parameters_of(terms).security == "malicious":
        found += (MAY_BRING_MORE, *((TELLS_MATCHES,) if tells else ()))
    return found
