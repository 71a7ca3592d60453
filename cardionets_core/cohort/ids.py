"""Ids that do not lead back to a person: HMAC-SHA256 under a key that stays beside the store."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from cardionets_core.errors import CohortError

ID_HEX_DIGITS = 16
_KEY_BYTES = 32
_log = logging.getLogger(__name__)


def key_path(cohort_path: Path) -> Path:
    """Where the key of a cohort lies: ``OUT.key`` beside ``OUT``."""
    return cohort_path.with_name(cohort_path.name + ".key")


def make_key(path: Path) -> bytes:
    """Make a 256-bit key that only its owner may read (mode 0600).

    Args:
        path: Where to write it; must not exist.

    Returns:
        The key, 32 bytes.

    Raises:
        CohortError: If it cannot be written.
    """
    key = secrets.token_bytes(_KEY_BYTES)
    try:
        # O_EXCL with the mode at creation: at no moment is the key readable by others.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CohortError(
            f"cannot write the id key {path}: {error.strerror}; "
            f"choose an output folder that you can write to"
        ) from error
    return key


def read_key(path: Path) -> bytes:
    """Read the key of a cohort, and close it to others if it lies open.

    Args:
        path: The key file, as ``make_key`` wrote it.

    Returns:
        The key, 32 bytes.

    Raises:
        CohortError: If it is missing or is not a key.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(
            f"no id key at {path}: resuming or extending needs the key of the first prepare; "
            f"put it back, or prepare anew with another output name"
        ) from error
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}", text):
        raise CohortError(
            f"{path} is not an id key: found {len(text)} characters, needed "
            f"{2 * _KEY_BYTES} hexadecimal digits; put the key of the first prepare back"
        )
    _close_to_others(path)
    return bytes.fromhex(text)


def fitting_key(path: Path, cohort_path: Path, stored_check: str) -> bytes:
    """The key that a finished cohort was prepared with.

    Args:
        path: Where it lies.
        cohort_path: The cohort, for the message.
        stored_check: What the cohort keeps of its key's ``key_check``.

    Raises:
        CohortError: If it is missing, is no key, or is another cohort's.
    """
    if not path.is_file():
        raise CohortError(
            f"no id key at {path}: it alone tells which ids of the source {cohort_path} holds; put "
            f"it back, or name the place where it is"
        )
    key = read_key(path)
    if key_check(key) != stored_check:
        raise CohortError(
            f"{path} is not the key that {cohort_path} was prepared with; name that key"
        )
    return key


def key_check(key: bytes) -> str:
    """A value that shows whether a key is the right one and does not give it away."""
    return hmac_id(key, "cardionets key check")


def subject_id(key: bytes, subject_key: str) -> str:
    """HMAC id of a person, 16 hexadecimal digits."""
    return hmac_id(key, f"subject\0{subject_key}")


def record_id(key: bytes, record_key: str) -> str:
    """HMAC id of a record, 16 hexadecimal digits."""
    return hmac_id(key, f"record\0{record_key}")


def hmac_id(key: bytes, text: str) -> str:
    """HMAC-SHA256 of a text, the first 16 hexadecimal digits.

    Source: RFC 2104; truncation from the left as its section 5 allows.
    """
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:ID_HEX_DIGITS]


def _close_to_others(path: Path) -> None:
    """Take read and write rights of group and others from a key file."""
    if os.name != "posix" or not path.stat().st_mode & 0o077:
        return
    try:
        path.chmod(0o600)
    except OSError:
        _log.warning("%s is open to other users; close it with chmod 600", path)
    else:
        _log.warning("%s was open to other users; it is now 0600", path)
