"""Who did something, as entries of the ledger name them."""

from appliance.accounts.principals import Person, PrincipalKind
from appliance.ledger.entries import AccountHolder, Actor, LocalUser, OperatorFromAfar


def actor_of(person: Person) -> Actor:
    """Return one of the node's people as an entry names them."""
    match person.principal.kind:
        case PrincipalKind.UID:
            return LocalUser(uid=int(person.principal.value))
        case PrincipalKind.OPERATOR:
            return OperatorFromAfar(id=person.principal.value)
        case PrincipalKind.ACCOUNT:
            roles = sorted(role.value.replace(" ", "-") for role in person.roles)
            return AccountHolder(name=person.name, role=".".join(roles) or "none")
