"""What a cine file says about its cine beside the pixels."""

from __future__ import annotations

from dataclasses import dataclass

# A cycle of unknown length is played at 60 beats a minute.
ASSUMED_CYCLE_S = 1.0
NOT_CLINICAL = "not for clinical use"


@dataclass(frozen=True, slots=True)
class CineAbout:
    """What a cine is and where it comes from.

    Texts end up in files that travel: they must hold no file name, id or date of a patient.

    Attributes:
        what: What it is in one line: weights, seed, steps, a neutral label of the record.
        synthetic: Whether a model drew it.
        simulated: Whether it is a simulated subject's, or drawn by weights that saw only those.
        pixel_mm: Side of a pixel in mm, or None if unknown.
        cycle_s: Length of the heart beat in seconds, or None if unknown.
        interpolated: What was drawn if it was less than is there, or an empty text.
        warning: What the reader must know before relying on it, or an empty text.
    """

    what: str
    synthetic: bool
    simulated: bool = False
    pixel_mm: float | None = None
    cycle_s: float | None = None
    interpolated: str = ""
    warning: str = ""

    @property
    def mark(self) -> str:
        """What stands in capitals above a rendered picture; empty for a patient's own cine."""
        return cine_mark(synthetic=self.synthetic, simulated=self.simulated)

    @property
    def kind(self) -> str:
        """``SYNTHETIC`` or ``SIMULATED``, for fields with room for one word, or an empty text."""
        return "SYNTHETIC" if self.synthetic else "SIMULATED" if self.simulated else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """The texts that are there, one line each, what weighs most first."""
        use = NOT_CLINICAL if self.synthetic or self.simulated else ""
        cycle = "" if self.cycle_s else f"length of the beat unknown, {ASSUMED_CYCLE_S:g} s shown"
        said = (self.mark, use, self.warning, self.interpolated, cycle, self.what)
        return tuple(filter(None, said))

    def frame_s(self, frames: int) -> float:
        """Time from one frame to the next in seconds, for ``frames`` over the cycle."""
        return (self.cycle_s or ASSUMED_CYCLE_S) / frames


def cine_mark(*, synthetic: bool, simulated: bool) -> str:
    """Capitals for a picture that must not pass for a patient's."""
    if synthetic:
        return "SYNTHETIC, SIMULATED DATA" if simulated else "SYNTHETIC"
    return "SIMULATED SUBJECT" if simulated else ""
