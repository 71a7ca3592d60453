"""What a person sees of a stage, in a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from cardionets_core.train.progress import Progress


def told(*, terminal):
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, width=160, color_system=None)
    with Progress("alignment", 2, 8, console) as progress:
        for epoch in range(2):
            progress.step_done(8)
            progress.epoch_done(epoch, 1.25, 1.5)
    return said.getvalue()


def test_a_terminal_shows_losses_samples_per_second_and_the_time_left():
    shown = told(terminal=True)
    for said in ("alignment", "samples/s", "left", "16/16", "loss 1.2500 val 1.5000"):
        assert said in shown


def test_a_log_gets_whole_lines_and_always_the_last_epoch():
    (line,) = told(terminal=False).splitlines()
    assert line.startswith("alignment: epoch 2/2, loss 1.2500 val 1.5000, ")
    assert line.endswith(" samples/s")
