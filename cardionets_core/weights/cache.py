"""The cache of downloaded weights: files named by their sha256, and which url gave which."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from cardionets_core.errors import WeightsError
from cardionets_core.weights.atomic import atomic_file, disk_errors, sha256_of
from cardionets_core.weights.lineage import public_url


def default_cache_dir() -> Path:
    """``CARDIONETS_CACHE``, else ``cardionets`` in the platform's cache folder of this user."""
    if chosen := os.environ.get("CARDIONETS_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "cardionets"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/cardionets").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cardionets"


@dataclass(frozen=True, slots=True)
class Cache:
    """Downloaded weights under ``root``; nothing is made before something is stored."""

    root: Path

    def path_of(self, sha256: str) -> Path:
        """Where the file of this hash is or would be."""
        return self.root / "weights" / f"{sha256}.safetensors"

    def find(self, sha256: str) -> Path | None:
        """The cached file, its hash checked; one that was altered is deleted, not returned."""
        path = self.path_of(sha256)
        if not path.is_file():
            return None
        if sha256_of(path) == sha256:
            return path
        with disk_errors(path):
            path.unlink(missing_ok=True)
        return None

    def make_folders(self) -> None:
        """Create the folders.

        Raises:
            WeightsError: If that is not possible.
        """
        for folder in ("weights", "urls"):
            with disk_errors(self.root / folder):
                (self.root / folder).mkdir(parents=True, exist_ok=True)

    def hash_of_url(self, url: str) -> str | None:
        """The sha256 recorded when this url was fetched, or None."""
        record = self._record_of(url)
        try:
            sha256 = json.loads(record.read_text(encoding="utf-8"))["sha256"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{record}: not readable ({error}); delete it") from error
        if not is_sha256(sha256):
            raise WeightsError(f"{record}: holds no sha256; delete it")
        return str(sha256)

    def record_url(self, url: str, sha256: str) -> None:
        """Remember what a url gave. Secrets that the url may carry are not written."""
        text = json.dumps({"sha256": sha256, "url": public_url(url)}, indent=1)
        with atomic_file(self._record_of(url)) as file:
            file.write(text.encode())

    def _record_of(self, url: str) -> Path:
        return self.root / "urls" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"


def is_sha256(text: object) -> bool:
    """Whether this is a lower-case SHA-256 in hex."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")
