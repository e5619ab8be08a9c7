"""Why a contract may not be signed, or a job may not begin."""

from appliance.policies.rules import COUNTING, Refusal
from services.errors import ConfigError


class PolicyRefuses(ConfigError):
    """The policy of a dataset of ours refuses a contract; ``rule`` is the first that does."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        first, others = refusals[0], len(refusals) - 1
        more = f"; and {others} more" if others else ""
        super().__init__(f"{first} (rule {first.rule.value}{more})", remedy=first.remedy)
        self.rule = first.rule
        self.refusals = refusals

    @property
    def is_of_counts(self) -> bool:
        """Whether it is allowed once other jobs give back what they have taken."""
        return all(refusal.rule in COUNTING for refusal in self.refusals)


class GrantMissing(ConfigError):
    """A party has not granted what the contract asks of its dataset."""
