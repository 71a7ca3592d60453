"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest

from cardionets_core.files import (
    is_disk_full,
    sweep_temporaries,
    temporary_beside,
    whole_file,
    write_whole,
)


def test_an_old_file_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    path = tmp_path / "run.json"
    write_whole(path, b"old")

    def fail_halfway():
        with whole_file(path) as file:
            file.write(b"half of the n")
            assert path.read_bytes() == b"old"
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail_halfway()
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [left.name for left in tmp_path.iterdir()] == ["run.json"]


DIE_HALFWAY = """
import os, signal, sys
from pathlib import Path
from cardionets_core.files import whole_file

with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_the_old_file_and_what_it_left_can_be_swept(tmp_path):
    path = tmp_path / "run.json"
    write_whole(path, b"old")
    (tmp_path / ".hidden").write_bytes(b"the user's")
    killed = subprocess.run([sys.executable, "-c", DIE_HALFWAY, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len([*tmp_path.iterdir()]) == 3
    sweep_temporaries(tmp_path)
    assert sorted(left.name for left in tmp_path.iterdir()) == [".hidden", "run.json"]


def test_temporary_names_are_never_shared(tmp_path):
    names = {temporary_beside(tmp_path / "a") for _ in range(50)}
    assert len(names) == 50
    assert {name.parent for name in names} == {tmp_path}


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("H5Fclose: file write failed: No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("another"), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error, full):
    assert is_disk_full(error) is full
