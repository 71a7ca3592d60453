"""Turn a published ST-MEM checkpoint into a weights file of this toolkit.

The published weights are non-commercial (CC BY-NC 4.0); the file says so, and so does whatever is
trained from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cardionets_core.ecg.transform_config import EcgTransformConfig
from cardionets_core.ecg.transform_state import describe_transform, transform_state
from cardionets_core.options import construct, make_options
from cardionets_core.registry import Component, default_registry
from cardionets_core.weights.file import PartHeader, WeightsHeader, save_weights, tensors_of
from cardionets_core.weights.lineage import LineageStep, public_command
from cardionets_core.weights.load import fill
from cardionets_zoo.convert.st_mem import StMemWeights, read_st_mem
from cardionets_zoo.convert.untrusted import load_untrusted

LICENCE = "CC-BY-NC-4.0"
NOTES = (
    "Encoder of ST-MEM (Na et al., ICLR 2024), converted from a checkpoint of bakqui/ST-MEM.",
    "Published ST-MEM weights are non-commercial (CC BY-NC 4.0), and so is what grows from them.",
)
# What these weights were trained with is the preprocessing of the released code.
_TRANSFORM_PRESET = "released-code"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was written.

    Attributes:
        out: The weights file.
        encoder_parameters: Numbers in the encoder.
        dropped: Names in the checkpoint that were left out.
        transform: The preprocessing that belongs to the weights, in one line.
    """

    out: Path
    encoder_parameters: int
    dropped: tuple[str, ...]
    transform: str

    def __str__(self) -> str:
        """For people, on the command line."""
        left_out = f"Left out: {', '.join(self.dropped)}.\n" if self.dropped else ""
        return (
            f"{self.out}: ST-MEM encoder, {self.encoder_parameters:,} parameters.\n{left_out}"
            f"Preprocessing: {self.transform}.\n"
            "Published ST-MEM weights are non-commercial (CC BY-NC 4.0), and so is whatever is "
            "trained from them."
        )


def import_st_mem(source: Path, out: Path) -> ImportReport:
    """Write the encoder of an ST-MEM checkpoint as a weights file.

    Args:
        source: ``.safetensors``, ``.pth`` or ``.pt``: encoder, fine-tuned model or pre-training.
        out: Where to; ``.safetensors`` is added if it is missing.

    Returns:
        What was written.

    Raises:
        WeightsError: If the checkpoint cannot be read safely, is not ST-MEM's, or ``out`` cannot be
            written.
    """
    weights = read_st_mem(load_untrusted(source))
    component = default_registry().find("encoder", "stmem")
    config = make_options(component.load_config(), weights.config, "encoder")
    module = construct(component, config)
    fill(module, weights.encoder, str(source))
    target = out if out.suffix == ".safetensors" else out.with_name(f"{out.name}.safetensors")
    header = _header(component, PartHeader.of(component, config), source)
    save_weights(target, tensors_of({"encoder": module}), header)
    return ImportReport(
        out=target,
        encoder_parameters=sum(tensor.numel() for tensor in weights.encoder.values()),
        dropped=_left_out(weights),
        transform=describe_transform(header.transform or {}),
    )


def _header(component: Component, part: PartHeader, source: Path) -> WeightsHeader:
    """The file's header: component, licence, transform and where it comes from."""
    options = component.preset(_TRANSFORM_PRESET)["data"]
    transform = transform_state(EcgTransformConfig.model_validate(options), None)
    step = LineageStep(
        command=public_command(["cardionets", "zoo", "import", "st-mem", str(source)]),
        stage="import",
        simulated=False,
        licence=LICENCE,
    )
    return WeightsHeader.of(
        {"encoder": part},
        (step,),
        transform=transform,
        notes=NOTES,
    )


def _left_out(weights: StMemWeights) -> tuple[str, ...]:
    """Names for the report, the decoder as one."""
    return (*weights.dropped, *(("the pre-training decoder",) if weights.decoder else ()))
