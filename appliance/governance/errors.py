"""Why a contract may not be signed, or a job may not begin."""

from collections import Counter
from collections.abc import Sequence

from appliance.policies.rules import COUNTING, TIMED, Refusal
from services.errors import ConfigError


class PolicyRefuses(ConfigError):
    """The policy of a dataset of ours refuses a contract; ``rule`` is the first that does."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        first, *others = refusals
        more = f"; also {_counted(others)}" if others else ""
        super().__init__(f"{first} (rule {first.rule.value}{more})", remedy=first.remedy)
        self.rule = first.rule
        self.refusals = refusals

    @property
    def is_of_counts(self) -> bool:
        """Whether it is allowed once other jobs give back what they have taken."""
        return all(refusal.rule in COUNTING for refusal in self.refusals)

    @property
    def is_of_time(self) -> bool:
        """Whether it was allowed before the policy's time ended."""
        return all(refusal.rule in TIMED for refusal in self.refusals)


def _counted(refusals: Sequence[Refusal]) -> str:
    """Return the rules that refuse, each once, with how many times where it is more than one."""
    times = Counter(refusal.rule.value for refusal in refusals)
    return ", ".join(rule if count == 1 else f"{rule} × {count}" for rule, count in times.items())


class GrantMissing(ConfigError):
    """A party has not granted what the contract asks of its dataset."""
