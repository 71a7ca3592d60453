"""One small simulated cohort for all tests of training, and ways to train on it."""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
import socket
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from cardionets_core.cohort.preparing import PrepareRequest, prepare_dataset
from cardionets_core.cohort.reader import Cohort, open_cohort
from cardionets_core.options import given
from cardionets_core.registry import default_registry
from cardionets_core.train.execute import train_stage
from cardionets_core.train.request import TrainRequest
from cardionets_core.train.run_folder import RunFolder

# Tests find ``made_up_cohort`` by name.
sys.path.insert(0, str(Path(__file__).parent))

SUBJECTS, PRETRAIN_SUBJECTS = 40, 30
SMALL_ECG = ("encoder.width=8", "encoder.depth=1", "encoder.heads=1", "encoder.head_dim=8")
SMALL_CMR = ("width=8", "depth=1", "heads=1", "decoder_width=8", "decoder_heads=1")
SMALL_VAE = (
    "autoencoder.channels=8", "autoencoder.groups=4", "autoencoder.perceptual=none",
    "autoencoder.attention=false",
)  # fmt: skip
SMALL_MAR = (
    "generator.width=16", "generator.depth=1", "generator.heads=2", "generator.decoder_width=16",
    "generator.decoder_heads=2", "generator.decoder_depth=1", "generator.denoiser_width=16",
    "generator.denoiser_depth=1",
    "generator.train_steps=20", "generator.sample_steps=4", "generator.iterations=3",
)  # fmt: skip
PLACE = ("train.accelerator='cpu'", "train.threads=1")
TWO_EPOCHS = ("train.epochs=2", "train.batch_size=8")
DRIVER = Path(__file__).with_name("command_in_a_process.py")
SHORT_S = 120
# Of the cohort of downstream tasks: 40 subjects to pre-train on, 80 for tasks, many of them ill.
HEAD_OPTIONS = {
    "subjects": 120, "pretrain_subjects": 40, "prevalence": "enriched", "seed": 10,
}  # fmt: skip
ONE_EPOCH = ("train.epochs=1", "train.batch_size=16", "train.warmup_epochs=0")


@pytest.fixture(scope="session")
def cohort_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty simulated subjects, the last ten for evaluation."""
    out = tmp_path_factory.mktemp("cohort") / "cohort.h5"
    request = PrepareRequest(
        component=default_registry().find("dataset", "simulated"),
        out=out,
        options={"subjects": SUBJECTS, "pretrain_subjects": PRETRAIN_SUBJECTS, "seed": 5},
        workers=1,
    )
    prepare_dataset(request)
    return out


@pytest.fixture(scope="session")
def task_cohort_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 simulated subjects, 80 of them for downstream tasks."""
    out = tmp_path_factory.mktemp("task-cohort") / "cohort.h5"
    component = default_registry().find("dataset", "simulated")
    request = PrepareRequest(component=component, out=out, options=HEAD_OPTIONS, workers=1)
    prepare_dataset(request)
    return out


@pytest.fixture
def task_cohort(task_cohort_path: Path) -> Iterator[Cohort]:
    with open_cohort(task_cohort_path) as cohort:
        yield cohort


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_surroundings(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test touches the user's cache, and none leaves another number of threads behind."""
    monkeypatch.setenv("CARDIONETS_CACHE", str(shared_cache))
    monkeypatch.setenv("CARDIONETS_OFFLINE", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class Trainer:
    """Makes requests of small stages on the shared cohort, and carries them out."""

    cohort: Path
    folder: Path

    def ecg(self, name: str, *sets: str, **changes: Any) -> TrainRequest:
        """Masked pre-training of a narrow ECG encoder for two epochs."""
        return self._request({"encoder": "stmem"}, name, (*SMALL_ECG, *sets), changes)

    def cmr(self, name: str, *sets: str, **changes: Any) -> TrainRequest:
        """Masked pre-training of a narrow CMR encoder for two epochs."""
        small = [f"encoder.{option}" for option in SMALL_CMR]
        return self._request({"encoder": "vit-cmr"}, name, (*small, *sets), changes)

    def align(self, name: str, *sets: str, **changes: Any) -> TrainRequest:
        """Alignment of narrow encoders, both with random weights unless told otherwise."""
        small = [*SMALL_ECG, *(f"cmr_encoder.{option}" for option in SMALL_CMR)]
        changes.setdefault("weights", {"encoder": "random", "cmr_encoder": "random"})
        components = {"encoder": "stmem", "aligner": "weighted-infonce"}
        return self._request(components, name, (*small, *sets), changes)

    def head(self, name: str, *sets: str, head: str = "linear", **changes: Any) -> TrainRequest:
        """A linear head on a narrow encoder, both at random, for cardiomyopathy; one epoch."""
        changes = {"task": "cm", "variant": "scratch", **changes}
        small = (
            [f"encoder.{o}" for o in SMALL_CMR] if changes["variant"] == "cmr-ref" else SMALL_ECG
        )
        start = str(changes.get("weights", {}).get("encoder", "train"))
        if start not in ("random", "train"):
            # Weights say themselves how wide they are.
            small = ()
        one = () if "lr_candidates" in str(sets) else ("train.lr=1e-3",)
        kept = [s for s in (*ONE_EPOCH, *one) if s.partition("=")[0] not in str(sets)]
        components = {"encoder": "stmem", "head": head}
        return self._request(components, name, (*small, *kept, *sets), changes)

    def autoencode(self, name: str, *sets: str, **changes: Any) -> TrainRequest:
        """A narrow autoencoder, judged by pixels alone, for two epochs."""
        return self._request({"autoencoder": "vae3d"}, name, (*SMALL_VAE, *sets), changes)

    def generate(
        self, name: str, *sets: str, generator: str = "mar", **changes: Any
    ) -> TrainRequest:
        """A narrow generator on a narrow random encoder; needs ``autoencoder=`` weights."""
        components = {"generator": generator}
        small = SMALL_MAR if generator in ("mar", "cpgg") else ()
        if generator != "cpgg":
            components["encoder"] = "stmem"
            weights = changes.get("weights", {})
            changes["weights"] = {"encoder": "random", **weights}
            small = (*small, *(SMALL_ECG if changes["weights"]["encoder"] == "random" else ()))
        return self._request(components, name, (*small, *sets), changes)

    def _request(
        self,
        components: dict[str, str],
        name: str,
        sets: tuple[str, ...],
        changes: dict[str, Any],
    ) -> TrainRequest:
        kept = [s for s in TWO_EPOCHS if s.partition("=")[0] not in str(sets)]
        options = given("tiny", sets=(*PLACE, *kept, *sets))
        request = TrainRequest(
            components=components, given=options, out=self.folder / name, cohort=self.cohort
        )
        return replace(request, **changes)

    def train(self, request: TrainRequest, **more: Any) -> RunFolder:
        self.said = io.StringIO()
        return train_stage(request, console=Console(file=self.said, width=200), **more)


@pytest.fixture
def trainer(cohort_path: Path, tmp_path: Path) -> Trainer:
    return Trainer(cohort_path, tmp_path)


@pytest.fixture
def tasks(task_cohort_path: Path, tmp_path: Path) -> Trainer:
    """Trains on the cohort of downstream tasks."""
    return Trainer(task_cohort_path, tmp_path)


@pytest.fixture(scope="module")
def kept_tasks(
    task_cohort_path: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trainer]:
    """As ``tasks``, for runs that several tests of a file look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(shared_cache))
        yield Trainer(task_cohort_path, tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def ssl(task_cohort_path: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """A pre-trained ECG encoder that has not seen the subjects of the tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(shared_cache))
        trainer = Trainer(task_cohort_path, tmp_path_factory.mktemp("ssl"))
        return trainer.train(trainer.ecg("ssl", *ONE_EPOCH))


@pytest.fixture(scope="session")
def trained(cohort_path: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """A finished ECG run, a finished CMR run and an alignment that starts from both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(shared_cache))
        trainer = Trainer(cohort_path, tmp_path_factory.mktemp("runs"))
        ecg = trainer.train(trainer.ecg("ecg"))
        cmr = trainer.train(trainer.cmr("cmr"))
        weights = {"encoder": str(ecg.path), "cmr_encoder": str(cmr.path)}
        align = trainer.train(trainer.align("align", weights=weights))
    return types.SimpleNamespace(ecg=ecg, cmr=cmr, align=align, said=trainer.said.getvalue())


@pytest.fixture(scope="session")
def made(cohort_path: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """An autoencoder, a generator on its latent, and one that is only fitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARDIONETS_CACHE", str(shared_cache))
        patch.setenv("CARDIONETS_OFFLINE", "1")
        trainer = Trainer(cohort_path, tmp_path_factory.mktemp("cines"))
        vae = trainer.train(trainer.autoencode("vae"))
        weights = {"autoencoder": str(vae.path)}
        mar = trainer.train(trainer.generate("mar", "train.ema_half_life=0.2", weights=weights))
        mean = trainer.train(trainer.generate("mean", generator="mean-cine"))
    return types.SimpleNamespace(vae=vae, mar=mar, mean=mean, trainer=trainer)


class Commands:
    """Runs ``cardionets`` in processes of their own, forked off one that has imported torch."""

    def __init__(self, cohort: Path, cache: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["cardionets_core.train.execute"])
        self.cohort, self._cache = cohort, cache

    def start(
        self,
        folder: Path,
        argv: list[str],
        *,
        kill: tuple[str, int] | None = None,
        environment: dict[str, str] | None = None,
        log: str = "log",
    ) -> Any:
        """Start a command in a folder; ``kill`` says when it kills itself."""
        folder.mkdir(parents=True, exist_ok=True)
        variables = {"CARDIONETS_CACHE": str(self._cache), "CARDIONETS_OFFLINE": "1"}
        names = {
            "ARGV": argv,
            "FOLDER": str(folder),
            "LOG": str(folder / log),
            "ENVIRONMENT": {**variables, **(environment or {})},
            "KILL": kill,
        }
        process = self._context.Process(target=runpy.run_path, args=(str(DRIVER), names))
        process.start()
        return process

    def run(self, folder: Path, argv: list[str], **options: Any) -> tuple[int, str]:
        """Run a command to its end: exit code (negative: a signal) and what it printed."""
        process = self.start(folder, argv, **options)
        process.join(SHORT_S)
        assert process.exitcode is not None, f"{argv} still runs after {SHORT_S} s"
        return process.exitcode, (folder / "log").read_text()

    def run_two(self, folder: Path, argv: list[str]) -> list[tuple[int, str]]:
        """Run a command in two processes, with the variables that torchrun would set."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test",
                  "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}  # fmt: skip
        processes = []
        for rank in "01":
            environment = {**shared, "RANK": rank, "LOCAL_RANK": rank}
            processes.append(self.start(folder, argv, environment=environment, log=f"log-{rank}"))
        for process in processes:
            process.join(SHORT_S)
        return [(p.exitcode, (folder / f"log-{r}").read_text()) for r, p in enumerate(processes)]

    def ecg(self, *more: str) -> list[str]:
        """The command of a small ECG pre-training into the folder ``run``."""
        return self._train(["--encoder", "stmem"], [*SMALL_ECG, *more])

    def align(self, *more: str, weights: tuple[str, ...] = ("random", "random")) -> list[str]:
        """The command of a small alignment into the folder ``run``."""
        small = [*SMALL_ECG, *(f"cmr_encoder.{option}" for option in SMALL_CMR)]
        command = ["--encoder", "stmem", "--aligner", "weighted-infonce"]
        for role, name in zip(("encoder", "cmr_encoder"), weights, strict=True):
            command += ["--weights", f"{role}={name}"]
        return self._train(command, [*small, *more])

    def autoencode(self, *more: str) -> list[str]:
        """The command of a small autoencoder into the folder ``run``."""
        return self._train(["--autoencoder", "vae3d"], [*SMALL_VAE, *more])

    def generate(self, *more: str, autoencoder: Path) -> list[str]:
        """The command of a small generator on a run's autoencoder into the folder ``run``."""
        command = ["--encoder", "stmem", "--generator", "mar", "--weights", "encoder=random"]
        command += ["--weights", f"autoencoder={autoencoder}"]
        return self._train(command, [*SMALL_ECG, *SMALL_MAR, *more])

    def head(self, *more: str, encoder: str) -> list[str]:
        """The command of a linear head on a run's encoder into the folder ``run``."""
        command = ["--encoder", "stmem", "--head", "linear", "--task", "cm"]
        command += ["--variant", f"ssl={encoder}"]
        return self._train(command, [*ONE_EPOCH[1:], *more])

    def _train(self, command: list[str], sets: list[str]) -> list[str]:
        chosen = [f"--set={item}" for item in (*PLACE, *sets)]
        return ["train", *command, "--preset", "tiny", *chosen,
                "--cohort", str(self.cohort), "--out", "run"]  # fmt: skip


@pytest.fixture(scope="session")
def commands(cohort_path: Path, shared_cache: Path) -> Commands:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Commands(cohort_path, shared_cache)


@pytest.fixture(scope="session")
def task_commands(task_cohort_path: Path, shared_cache: Path) -> Commands:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Commands(task_cohort_path, shared_cache)
