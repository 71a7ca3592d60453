"""Which leads take part: absent ones are left out of attention, pooling and loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cardionets_core.errors import LeadError


class LeadSelection(NamedTuple):
    """Leads that are computed.

    Attributes:
        kept: Row numbers of the leads that at least one record has; None for all of them.
        present: (B, kept leads), True where a record has the lead; None where all have all.
    """

    kept: Tensor | None
    present: Tensor | None

    def take(self, per_lead: Tensor, dim: int) -> Tensor:
        """Only the computed leads of a tensor with all leads along ``dim``."""
        return per_lead if self.kept is None else per_lead.index_select(dim, self.kept)

    def key_mask(self, tokens_per_lead: int) -> Tensor | None:
        """Attention mask (B, 1, 1, tokens) over the lead-major sequence; None where all is seen."""
        if self.present is None:
            return None
        return self.present.repeat_interleave(tokens_per_lead, dim=1)[:, None, None, :]


ALL_LEADS = LeadSelection(kept=None, present=None)


def select_leads(lead_mask: Tensor | None, x: Tensor) -> LeadSelection:
    """Turn a mask, True where a lead is present, into a selection.

    A lead that no record of the batch has costs nothing. Finding that out reads the mask's values,
    so a mask on the CPU spares CUDA a wait; while compiling, all leads are computed.

    Args:
        lead_mask: (L,), (B, L), or None for all leads.
        x: The batch that it is for, (B, L, S).

    Raises:
        LeadError: If the mask has another shape, or a record has no lead at all.
    """
    if lead_mask is None:
        return ALL_LEADS
    batch, leads = x.shape[:2]
    if tuple(lead_mask.shape) not in ((leads,), (batch, leads)):
        raise LeadError(
            f"lead_mask has shape {tuple(lead_mask.shape)}, but ({leads},) or ({batch}, {leads}) "
            "is needed: one truth value per lead"
        )
    mask = lead_mask.to(torch.bool).expand(batch, leads)
    if torch.compiler.is_compiling():
        return LeadSelection(kept=None, present=mask.to(x.device))
    return _select(mask.cpu(), x.device)


def _select(mask: Tensor, device: torch.device) -> LeadSelection:
    """Read the mask (B, L) and keep only what has to be known."""
    if not mask.any(dim=1).all():
        raise LeadError("lead_mask leaves a record without any lead; leave such records out")
    anywhere = mask.any(dim=0)
    kept = None if anywhere.all() else anywhere.nonzero()[:, 0].to(device)
    shared = mask[:, anywhere]
    present = None if shared.all() else shared.to(device)
    return LeadSelection(kept=kept, present=present)
