"""Run the agent: ``python -m appliance.agent --state DIR``; people type ``coffer up``."""

import gc
import sys


def main() -> int:
    """Load the agent, run it until told to stop, and return the exit code."""
    # What is loaded stays: to look for garbage in it, again and again, takes a seventh of the time.
    gc.disable()
    from appliance.agent.command import main as run

    gc.freeze()
    gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(main())
