import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cardionets_core.errors import TrainingError
from cardionets_core.options import Given
from cardionets_core.study import workers
from cardionets_core.study.workers import run_job
from cardionets_core.train import execute
from cardionets_core.train.request import TrainRequest


@pytest.fixture
def request_of(tmp_path):
    return TrainRequest({}, Given("tiny"), tmp_path / "runs" / "one")


def finish(request, console):
    console.print("trained")
    request.out.mkdir(parents=True, exist_ok=True)
    (request.out / "run.json").write_text(json.dumps({"status": "finished"}))


def test_lines_of_a_run_are_kept_in_its_folder(request_of, monkeypatch, capsys):
    monkeypatch.setattr(execute, "train_stage", finish)
    assert run_job(request_of).reason == ""
    assert (request_of.out / "console.log").read_text() == "trained\n"
    assert capsys.readouterr().out == ""
    assert [path.name for path in request_of.out.parent.iterdir()] == ["one"]


def test_finished_run_is_left_alone(request_of, monkeypatch):
    finish(request_of, console=__import__("rich.console").console.Console(quiet=True))
    monkeypatch.setattr(execute, "train_stage", None)
    monkeypatch.setattr(execute, "resume_training", None)
    assert run_job(request_of).seconds == 0


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_run_that_has_begun_is_resumed(request_of, monkeypatch, status):
    request_of.out.mkdir(parents=True)
    (request_of.out / "run.json").write_text(json.dumps({"status": status}))
    resumed = []
    monkeypatch.setattr(execute, "resume_training", lambda f, console: resumed.append(f))
    assert run_job(request_of).reason == ""
    assert resumed == [request_of.out]


def test_reason_of_a_failed_run_is_its_result(request_of, monkeypatch):
    def fail(request, console):
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr(execute, "train_stage", fail)
    assert run_job(request_of).reason == "the loss is not finite"


def test_bug_in_a_run_is_a_reason_with_its_trace_in_the_log(request_of, monkeypatch):
    def fail(request, console):
        return {}["missing"]

    monkeypatch.setattr(execute, "train_stage", fail)
    assert run_job(request_of).reason == "KeyError: 'missing'"
    log = request_of.out.with_name("one.log").read_text()
    assert "Traceback" in log


def test_workers_file_imports_neither_torch_nor_numpy():
    code = (
        "import sys, cardionets_core.study.workers\n"
        "sys.exit(bool({'torch', 'numpy', 'h5py', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_STUDY = """
import sys, time
from pathlib import Path
from cardionets_core.options import Given
from cardionets_core.study import workers
from cardionets_core.train.request import TrainRequest
from waiting_run import wait_for_a_signal

class Waiting(workers.Workers):
    def submit(self, request):
        return self._pool.submit(wait_for_a_signal, request)

if __name__ == "__main__":
    import signal
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    request = TrainRequest({}, Given("tiny"), Path(sys.argv[1]))
    try:
        with Waiting(1, 1) as pool:
            pool.submit(request).result()
    except KeyboardInterrupt:
        sys.exit(130)
"""
_WAITING_RUN = """
import os, time
from cardionets_core.study.workers import _interruptible

def wait_for_a_signal(request):
    with _interruptible():
        try:
            request.out.write_text(f"running {os.getpid()}")
            time.sleep(60)
        except KeyboardInterrupt:
            request.out.write_text(f"interrupted {os.getpid()}")
            raise
"""


@pytest.fixture
def waiting(tmp_path):
    """A study whose one run waits, in processes of their own."""
    (tmp_path / "study.py").write_text(_STUDY)
    (tmp_path / "waiting_run.py").write_text(_WAITING_RUN)
    told = tmp_path / "told"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "study.py", str(told)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: told.exists() and told.read_text().startswith("running"))
    yield process, told
    process.kill()
    process.communicate()


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_sigterm_interrupts_the_runs_and_leaves_no_process(waiting):
    process, told = waiting
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    status, pid = told.read_text().split()
    assert status == "interrupted"
    assert not alive(int(pid))


def test_killed_study_takes_its_workers_along(waiting):
    process, told = waiting
    worker = int(told.read_text().split()[1])
    process.kill()
    process.wait(30)
    until(lambda: not alive(worker))
    assert workers.LOG_NAME == "console.log"
