"""From a name, path or url to a weights file on this machine whose hash is what it should be."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardionets_core.errors import UnknownNameError, WeightsError
from cardionets_core.files import temporary_beside
from cardionets_core.registry import Registry, default_registry
from cardionets_core.spec import ZooEntry
from cardionets_core.weights.atomic import disk_errors, sha256_of
from cardionets_core.weights.cache import Cache, default_cache_dir, is_sha256
from cardionets_core.weights.header import WEIGHTS_FILE, refuse_foreign
from cardionets_core.weights.lineage import public_url
from cardionets_core.weights.sources import (
    PACKAGE,
    chunks,
    is_local_url,
    is_open_to_alteration,
    is_url,
    package_file,
)

log = logging.getLogger(__name__)

ENTRY_FILE = "entry.json"
_MAX_UNPINNED_BYTES = 8 << 30
_PIN_MARK = "#sha256="


@dataclass(frozen=True, slots=True)
class Pin:
    """What a file has to be."""

    sha256: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A weights file on this machine.

    Attributes:
        path: Where it is.
        origin: Where it came from, without secrets.
        sha256: Its hash; None for a local file that nothing pins.
        pinned: Whether the hash was known beforehand and checked.
    """

    path: Path
    origin: str
    sha256: str | None
    pinned: bool


def resolve(
    name: str | Path,
    *,
    offline: bool | None = None,
    cache_dir: Path | None = None,
    registry: Registry | None = None,
) -> Path:
    """The local weights file that a name means; see ``fetch``."""
    return fetch(name, offline=offline, cache_dir=cache_dir, registry=registry).path


def fetch(
    name: str | Path,
    *,
    offline: bool | None = None,
    cache_dir: Path | None = None,
    registry: Registry | None = None,
) -> Fetched:
    """Find or download weights, and check their hash where one is known.

    Args:
        name: A zoo id; a run folder, zoo entry folder or safetensors file; ``package:PKG/PATH``;
            ``hf://``, ``https://`` or any fsspec url of a safetensors file, which may end in
            ``#sha256=HEX``. A bare word is a zoo id first: write ``./word`` for a folder.
        offline: Refuse the network; None asks ``CARDIONETS_OFFLINE``.
        cache_dir: Where downloads are kept; None asks ``CARDIONETS_CACHE``.
        registry: Where zoo ids are looked up; None for that of the installed plugins.

    Raises:
        WeightsError: If there is no sound file to be had; an altered one is never kept.
        UnknownNameError: If it is neither a zoo id nor a path.
    """
    text = os.fspath(name)
    if not text:
        raise WeightsError("no weights are named; needed a zoo id, run folder, file or url")
    session = _Session(
        is_offline() if offline is None else offline, Cache(cache_dir or default_cache_dir())
    )
    if is_url(text):
        url, _, sha256 = text.partition(_PIN_MARK)
        if _PIN_MARK in text and not is_sha256(sha256):
            raise WeightsError(f"{public_url(url)}: what follows #sha256= is not 64 hex digits")
        return session.from_url(url, Pin(sha256) if sha256 else None)
    if text.startswith(PACKAGE):
        return _from_file(package_file(text), text, None)
    if isinstance(name, Path) or _looks_like_path(text):
        return _from_path(Path(text).expanduser())
    try:
        entry = (registry or default_registry()).zoo_entry(text)
    except UnknownNameError as error:
        if Path(text).exists():
            return _from_path(Path(text))
        raise UnknownNameError(f"{error} Nor is there a run folder or file {text!r}.") from None
    return session.from_entry(entry)


def is_offline() -> bool:
    """Whether ``CARDIONETS_OFFLINE`` asks to leave the network alone."""
    return os.environ.get("CARDIONETS_OFFLINE", "").lower() not in {"", "0", "false", "no"}


def check_file(path: Path, pin: Pin, shown: str, remedy: str) -> None:
    """Compare a file with what it has to be.

    Raises:
        WeightsError: If size or hash differ.
    """
    found_bytes = path.stat().st_size
    if pin.size_bytes is not None and found_bytes != pin.size_bytes:
        raise WeightsError(f"{shown}: {found_bytes} bytes found, {pin.size_bytes} needed; {remedy}")
    found = sha256_of(path)
    if found != pin.sha256:
        raise WeightsError(f"{shown}: sha256 {found} found, {pin.sha256} needed; {remedy}")


@dataclass(frozen=True, slots=True)
class _Session:
    offline: bool
    cache: Cache

    def from_entry(self, entry: ZooEntry) -> Fetched:
        """The first source of a zoo entry that gives the right file."""
        pin = Pin(entry.sha256, entry.size_bytes)
        problems = []
        for source in entry.sources:
            try:
                return self._from_source(source, pin)
            except WeightsError as error:
                problems.append(str(error))
        listed = "; ".join(problems) or "it names no source"
        raise WeightsError(f"zoo entry {entry.name!r} cannot be had: {listed}")

    def _from_source(self, source: str, pin: Pin) -> Fetched:
        if source.startswith(PACKAGE):
            return _from_file(package_file(source), source, pin)
        if is_url(source):
            return self.from_url(source, pin)
        return _from_file(Path(source).expanduser(), source, pin)

    def from_url(self, url: str, pin: Pin | None) -> Fetched:
        """A url's file, from the cache if it is there."""
        shown = public_url(url)
        sha256 = pin.sha256 if pin else self.cache.hash_of_url(url)
        if sha256 and (cached := self.cache.find(sha256)):
            return Fetched(cached, shown, sha256, pinned=pin is not None)
        if self.offline and not is_local_url(url):
            where = (
                f"put the file at {self.cache.path_of(sha256)}" if sha256 else "give a local path"
            )
            raise WeightsError(
                f"{shown} would have to be fetched, but offline mode is on; unset "
                f"CARDIONETS_OFFLINE and leave out --offline, or {where}"
            )
        if pin is None:
            _refuse_unsafe(url)
        return self._download(url, pin)

    def _download(self, url: str, pin: Pin | None) -> Fetched:
        self.cache.make_folders()
        shown = public_url(url)
        with _temporary(self.cache.path_of("incoming")) as temporary:
            sha256 = _receive(url, temporary, pin)
            refuse_foreign(temporary, shown)
            target = self.cache.path_of(sha256)
            with disk_errors(target):
                temporary.replace(target)
        if pin is None:
            self.cache.record_url(url, sha256)
            log.warning("%s: nothing pins this file; its sha256 is %s", shown, sha256)
        return Fetched(target, shown, sha256, pinned=pin is not None)


@contextmanager
def _temporary(beside: Path) -> Iterator[Path]:
    temporary = temporary_beside(beside)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _receive(url: str, path: Path, pin: Pin | None) -> str:
    """Write a url's bytes to ``path``, check them against the pin and return their sha256."""
    digest = hashlib.sha256()
    limit = pin.size_bytes if pin and pin.size_bytes is not None else _MAX_UNPINNED_BYTES
    remedy = "nothing was kept; try again, and if it stays so, tell who published it"
    received = 0
    with disk_errors(path), path.open("xb") as file:
        for piece in chunks(url):
            received += len(piece)
            if received > limit:
                raise WeightsError(f"{public_url(url)}: more than {limit} bytes arrive; {remedy}")
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if pin:
        check_file(path, pin, public_url(url), remedy)
    return digest.hexdigest()


def _refuse_unsafe(url: str) -> None:
    shown = public_url(url)
    if not shown.endswith(".safetensors"):
        raise WeightsError(
            f"{shown}: a url of a .safetensors file is needed; name the file, not its folder, "
            "and no .pth, .pt or .ckpt"
        )
    if is_open_to_alteration(url):
        raise WeightsError(
            f"{shown}: what comes by plain http can be altered on the way; use https, "
            "or append #sha256=HEX of the right file"
        )


def _looks_like_path(text: str) -> bool:
    return text in {".", ".."} or text.startswith("~") or "/" in text or "\\" in text


def _from_path(path: Path) -> Fetched:
    """A file, or the weights in a folder: of a run, or of a packed zoo entry, which pins them."""
    if not path.is_dir():
        return _from_file(path, str(path), None)
    weights = path / WEIGHTS_FILE
    if not weights.is_file():
        raise WeightsError(
            f"{path}: no {WEIGHTS_FILE} in this folder; if it is a run that was interrupted, "
            "finish it with --resume"
        )
    entry = path / ENTRY_FILE
    return _from_file(weights, str(weights), _pin_of(entry) if entry.is_file() else None)


def _pin_of(entry: Path) -> Pin:
    try:
        content = json.loads(entry.read_text(encoding="utf-8"))
        return Pin(str(content["sha256"]), int(content["size_bytes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{entry}: not readable ({error}); pack the run again") from error


def _from_file(path: Path, origin: str, pin: Pin | None) -> Fetched:
    if not path.is_file():
        raise WeightsError(f"{origin}: there is no such file; check the path, or name a zoo entry")
    refuse_foreign(path, origin)
    if pin:
        check_file(path, pin, origin, "it was altered or cut short: install or fetch it anew")
    return Fetched(path, origin, pin.sha256 if pin else None, pinned=pin is not None)
