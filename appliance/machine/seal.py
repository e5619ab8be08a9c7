"""The program ``coffer-machine-seal``: has the TPM give out what the agent's key is sealed with.

Each start of the agent waits for it, so it is apart from ``coffer-machine`` and loads nothing of
what orders need.
"""

import sys
from pathlib import Path

from appliance.machine.doing.sealing import seal_identity
from appliance.machine.tasks import do_task
from appliance.machine.tools import Run, run_program


def main(*, root: Path = Path("/"), run: Run = run_program) -> int:
    """Do so, while no order is at the disk's keys; return the exit code."""
    return do_task(seal_identity, alone="disk", root=root, run=run)


if __name__ == "__main__":
    sys.exit(main())
