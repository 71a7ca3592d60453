"""Where bytes come from: a file inside an installed package, http(s), or any fsspec url."""

from __future__ import annotations

import http.client
import importlib.util
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import fsspec

from cardionets_core.errors import WeightsError
from cardionets_core.weights.lineage import public_url

PACKAGE = "package:"
_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def is_url(text: str) -> bool:
    """Whether this is a url rather than a path or a name."""
    return "://" in text


def is_local_url(url: str) -> bool:
    """Whether reading this url needs no network."""
    return url.partition("://")[0] in {"file", "local", "memory"}


def package_file(source: str) -> Path:
    """The file that ``package:PKG/PATH`` means, inside the installed package PKG.

    The package is located without importing it.

    Raises:
        WeightsError: If there is no such package or file, or PATH leads out of the package.
    """
    package, _, inner = source.removeprefix(PACKAGE).partition("/")
    parts = PurePosixPath(inner).parts
    if not package.isidentifier() or not parts or "\\" in inner or ".." in parts or parts[0] == "/":
        raise WeightsError(f"{source}: not of the form package:PKG/PATH with PATH inside PKG")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        root = Path(folder).resolve()
        path = (root / inner).resolve()
        if not path.is_relative_to(root):
            raise WeightsError(f"{source}: leads out of the package; links are not followed")
        if path.is_file():
            return path
    found = "has no such file" if spec else "is not installed"
    raise WeightsError(f"{source}: package {package!r} {found}; install or update it")


def chunks(url: str) -> Iterator[bytes]:
    """The bytes behind a url, piece by piece.

    Raises:
        WeightsError: If it cannot be read in full; secrets in the url are not shown.
    """
    pieces = _http_chunks if urlsplit(url).scheme in {"http", "https"} else _fsspec_chunks
    with _network_errors(url):
        yield from pieces(url)


def is_open_to_alteration(url: str) -> bool:
    """Whether anyone between here and the server can change what arrives."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "ftp"} and parts.hostname not in _LOOPBACK


def _http_chunks(url: str) -> Iterator[bytes]:
    # urllib and not fsspec's http: it honours proxies and has a timeout per read, not per file.
    request = urllib.request.Request(url, headers={"User-Agent": "cardionets"})  # noqa: S310 - http(s)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - likewise
        if is_open_to_alteration(response.url) and not is_open_to_alteration(url):
            raise WeightsError(
                f"{public_url(url)}: is redirected from https to plain http; refused"
            )
        while piece := response.read(_CHUNK_BYTES):
            yield piece
        # read(n) ends silently where the connection broke off.
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)


def _fsspec_chunks(url: str) -> Iterator[bytes]:
    with fsspec.open(url, "rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            yield piece


@contextmanager
def _network_errors(url: str) -> Iterator[None]:
    shown = public_url(url)
    try:
        yield
    except WeightsError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        remedy = {
            401: "it asks for a login",
            403: "access is refused",
            404: "there is no such file",
        }
        raise WeightsError(
            f"{shown}: the server answers {error.code} ({remedy.get(error.code, error.reason)}); "
            "check the url, or fetch the file yourself and give its path"
        ) from None
    except Exception as error:  # noqa: BLE001 - every file system of fsspec raises its own kinds
        reason = str(error).replace(url, shown)
        raise WeightsError(
            f"{shown}: cannot be fetched ({type(error).__name__}: {reason}); check the network, "
            "or fetch the file yourself and give its path"
        ) from None
