"""``cardionets`` in a process of its own; the test sets ARGV, FOLDER, LOG, ENVIRONMENT and KILL.

KILL is None, or (place, n): ``checkpoint`` kills in the middle of writing the n-th checkpoint,
``step`` after the n-th optimiser step.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import torch

from cardionets_cli.main import main
from cardionets_core.train.progress import Progress

log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)  # noqa: F821
os.dup2(log, 1)
os.dup2(log, 2)
os.chdir(FOLDER)  # noqa: F821
os.environ.update(ENVIRONMENT)  # noqa: F821
torch.set_num_threads(1)
sys.argv = ["cardionets", *ARGV]  # noqa: F821
done = itertools.count(1)


def die_when_due():
    if next(done) == KILL[1]:  # noqa: F821
        os.kill(os.getpid(), signal.SIGKILL)


def half_a_checkpoint(state, file, save=torch.save):
    whole = Path("whole.pt")
    save(state, whole)
    content = whole.read_bytes()
    file.write(content[: len(content) // 2])
    file.flush()
    os.fsync(file.fileno())
    die_when_due()
    file.write(content[len(content) // 2 :])


if KILL and KILL[0] == "checkpoint":  # noqa: F821
    torch.save = half_a_checkpoint
if KILL and KILL[0] == "step":  # noqa: F821
    Progress.step_done = lambda self, samples: die_when_due()

main()
