"""A made-up encoder and aligner, weights files of them, and a server on the loopback interface."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cardionets_core.config import Options
from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.ecg.transform_state import transform_state
from cardionets_core.interfaces import Features
from cardionets_core.plugins import Discovery, Plugin
from cardionets_core.registry import Registry
from cardionets_core.spec import ComponentSpec, ZooEntry
from cardionets_core.weights.file import (
    LineageStep,
    PartHeader,
    WeightsHeader,
    save_weights,
    tensors_of,
)
from cardionets_core.weights.lineage import Lineage, extend


class MadeUpConfig(Options):
    width: int = 4


class MadeUpEncoder(nn.Module):
    modality = "ecg"

    def __init__(self, config: MadeUpConfig) -> None:
        super().__init__()
        self.embed_dim = self.pooled_dim = config.width
        self.layer = nn.Linear(12, config.width)
        self.register_buffer("seen", torch.tensor(7))

    def forward(self, x: torch.Tensor, lead_mask: torch.Tensor | None = None) -> Features:
        tokens = self.layer(x.transpose(1, 2))
        return Features(tokens, tokens.mean(dim=1))


class MadeUpAligner(nn.Module):
    def __init__(self, config: MadeUpConfig, *, ecg_dim: int, cmr_dim: int) -> None:
        super().__init__()
        self.ecg = nn.Linear(ecg_dim, config.width)
        self.cmr = nn.Linear(cmr_dim, config.width)

    def fit(self, cmr_train: Any) -> None: ...
    def phi(self, cmr: Any) -> Any: ...
    def embed_ecg(self, features: Any) -> Any: ...
    def embed_cmr(self, pooled: Any) -> Any: ...
    def loss(self, ecg: Any, cmr: Any, phi: Any) -> Any: ...


def component(name: str, kind: Any) -> ComponentSpec:
    return ComponentSpec(
        name=name,
        kind=kind,
        summary="made up",
        config="made_up_components:MadeUpConfig",
        target=f"made_up_components:MadeUp{kind.title()}",
    )


@dataclass
class MadeUp:
    """A plugin with one encoder and one aligner, to which zoo entries can be added."""

    entries: list[ZooEntry] = field(default_factory=list)

    @property
    def registry(self) -> Registry:
        declarations = {
            "cardionets_encoders": (component("tiny", "encoder"),),
            "cardionets_aligners": (component("pull", "aligner"),),
            "cardionets_zoo_entries": tuple(self.entries),
        }
        return Registry(
            Discovery((Plugin("made-up", "cardionets-made-up", "1.2", declarations),), ())
        )


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    module: Any = types.ModuleType("made_up_components")
    module.MadeUpConfig, module.MadeUpEncoder = MadeUpConfig, MadeUpEncoder
    module.MadeUpAligner = MadeUpAligner
    monkeypatch.setitem(sys.modules, "made_up_components", module)
    return MadeUp()


def step(**changes: Any) -> LineageStep:
    values = {
        "command": "cardionets train --encoder tiny --cohort cohort.h5",
        "stage": "ecg-pretraining",
        "preset": "tiny",
        "seed": 3,
        "simulated": True,
        "simulated_ranges": ((3, 0, 100),),
        "licence": "MIT",
    }
    return LineageStep(**{**values, **changes})


def transform(**options: Any) -> dict[str, Any]:
    return transform_state(EcgTransformConfig(**options), [0.25] * 12)


@pytest.fixture
def encoder() -> MadeUpEncoder:
    torch.manual_seed(0)
    return MadeUpEncoder(MadeUpConfig())


MakeHeader = Callable[..., WeightsHeader]


@pytest.fixture
def make_header(made_up: MadeUp) -> MakeHeader:
    def make(lineage: Lineage | None = None, *, aligner: bool = False) -> WeightsHeader:
        registry = made_up.registry
        parts = {"encoder": PartHeader.of(registry.find("encoder", "tiny"), MadeUpConfig())}
        if aligner:
            found = registry.find("aligner", "pull")
            parts["aligner"] = PartHeader.of(found, MadeUpConfig(), ecg_dim=4, cmr_dim=5)
        return WeightsHeader.of(parts, lineage or extend([], step()), transform=transform())

    return make


@pytest.fixture
def weights(tmp_path: Path, make_header: MakeHeader, encoder: MadeUpEncoder) -> Path:
    path = tmp_path / "made-up.safetensors"
    save_weights(path, tensors_of({"encoder": encoder}), make_header())
    return path


@dataclass
class Loopback:
    """A server on 127.0.0.1; ``files`` are served, ``asked`` are the paths that were requested."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cut_short: bool = False
    asked: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"http://{self.address}/{name}"


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server_state = Loopback("")

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            name = self.path.split("?")[0].lstrip("/")
            server_state.asked.append(name)
            if name in server_state.redirects:
                self.send_response(302)
                self.send_header("Location", server_state.redirects[name])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif name in server_state.files:
                body = server_state.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if server_state.cut_short else body)
            else:
                self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server_state.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server_state
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's cache or is steered by the user's settings."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("CARDIONETS_CACHE", str(cache))
    monkeypatch.delenv("CARDIONETS_OFFLINE", raising=False)
    return cache


@pytest.fixture
def helpers() -> types.SimpleNamespace:
    """Functions of this file, which test files cannot import."""
    return types.SimpleNamespace(step=step, transform=transform, Config=MadeUpConfig)
