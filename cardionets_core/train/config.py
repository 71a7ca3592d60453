"""Options of the training loop, the same for every stage."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cardionets_core.config import Options

Precision = Literal["auto", "32", "bf16", "16"]


class TrainConfig(Options):
    """How a stage is trained; a preset's ``[COMPONENT.train]`` fills it."""

    epochs: int = Field(100, ge=1, description="passes over the training subjects")
    batch_size: int = Field(64, ge=2, description="samples per optimiser step, over all processes")
    accumulate: int = Field(1, ge=1, description="parts that a batch is split into, to fit memory")
    lr: float = Field(1e-3, gt=0, allow_inf_nan=False, description="highest learning rate")
    lr_per_256: bool = Field(False, description="multiply lr by batch_size / 256")
    warmup_epochs: float = Field(0, ge=0, description="epochs of linear warm-up from 0")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="learning rate after the warm-up"
    )
    min_lr: float = Field(0.0, ge=0, description="where the cosine ends")
    weight_decay: float = Field(0.05, ge=0, description="decoupled weight decay of AdamW")
    weight_decay_exempt: Literal["bias-and-norm", "none"] = Field(
        "bias-and-norm", description="parameters that are not decayed"
    )
    betas: tuple[float, float] = Field((0.9, 0.999), description="moments of AdamW")
    clip_norm: float | None = Field(None, gt=0, description="largest gradient norm, or none")
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="decay per step of an average of the weights that is kept"
    )
    ema_half_life: float | None = Field(
        None, gt=0, le=1, description="instead of ema_decay: its half-life as a part of the run"
    )
    patience: int | None = Field(
        None, ge=1, description="epochs without a better validation loss before stopping, or none"
    )
    checkpoint_every_s: float = Field(
        0.0,
        ge=0,
        description="least time between checkpoints; 0 writes one after every epoch",
        json_schema_extra={"unit": "s"},
    )
    precision: Precision = Field(
        "auto", description="auto: bf16 on a CUDA device that has it, else float32"
    )
    compile: bool = Field(False, description="compile the model with torch.compile")
    accelerator: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    devices: int = Field(1, ge=1, description="processes on this machine, one per device")
    threads: int | None = Field(
        None, ge=1, description="CPU threads per process; torch's own choice when not given"
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _as_text(cls, precision: object) -> object:
        """``--set train.precision=32`` gives a number."""
        return str(precision) if isinstance(precision, int) else precision

    @model_validator(mode="after")
    def _one_average(self) -> Self:
        if self.ema_decay is not None and self.ema_half_life is not None:
            raise ValueError("ema_decay and ema_half_life are both given; keep one")
        return self

    def ema_decay_of(self, steps: int) -> float | None:
        """Decay per step of the average of weights over a run of so many steps, or none."""
        if self.ema_half_life is not None:
            return float(0.5 ** (1.0 / max(1.0, self.ema_half_life * steps)))
        return self.ema_decay

    @property
    def peak_lr(self) -> float:
        """The highest learning rate, after the scaling by batch size."""
        return self.lr * self.batch_size / 256 if self.lr_per_256 else self.lr
