"""What records cost a causal LM in one pass: rows of a batch in parts, so that their logits fit into memory.

B rows, T tokens, D embedding width, V vocabulary, M slots of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from difflm import ranks
from difflm.models.injected import Injected
from difflm.models.kv_memory import Remembered
from difflm.models.lm_layers import are_away

if TYPE_CHECKING:
    from difflm.models.causal_lm import CausalLMDecoder

LOGIT_BUDGET = 2**28
"""Most logits (rows x tokens x V) held at once in training: beyond it parts are recomputed."""
LOOKED_LOGITS = {"cpu": 2**23, "cuda": 2**27}
"""Most of them without gradients: on a CPU few rows at once, so that they stay close to a core."""


def rows_nll(
    decoder: CausalLMDecoder,
    injected: Injected,
    ids: torch.Tensor,
    mask: torch.Tensor,
    hidden: torch.Tensor | None,
    added: torch.Tensor | None,
) -> torch.Tensor:
    """Nats (B,) of tokens `ids` (B, T) where `mask` (B, T) says that there is one; `hidden` (B, T) are blanked as
    inputs, `added` (B, T, D) is what the details say of each."""
    if not torch.is_grad_enabled():
        return _looked_at(decoder, injected, ids, mask, hidden, added)
    rows = max(1, LOGIT_BUDGET // (max(ids.shape[1], 1) * decoder.grammar.vocabulary))
    parts = -(-len(ids) // rows)
    if are_away(decoder.lm):
        # Processes that hold its layers together pass through them as many times, also where their rows are shorter.
        parts = ranks.most(parts, ids.device)
    if parts <= 1:
        return _nll(decoder, injected, ids, mask, hidden, added)
    nll, first = [], 0
    for size in (len(some) for some in ids.tensor_split(parts)):
        part = tuple(
            None if one is None else one[first : first + size] for one in (injected, ids, mask, hidden, added)
        )
        nll.append(checkpoint(_nll, decoder, *part, use_reentrant=False, preserve_rng_state=False))
        first += size
    return torch.cat(nll)


def _looked_at(
    decoder: CausalLMDecoder, injected: Injected, ids: torch.Tensor, mask: torch.Tensor, *others: Any
) -> torch.Tensor:
    """Nats (B,) without gradients: rows of like length together, a few at a time."""
    lengths = mask.sum(dim=1)
    nll, first = torch.zeros(len(ids), device=ids.device), 0
    order = lengths.argsort(descending=True)
    while first < len(order):
        longest = int(lengths[order[first]])
        budget = LOOKED_LOGITS.get(ids.device.type, LOOKED_LOGITS["cuda"])
        most = max(1, budget // (max(longest, 1) * decoder.grammar.vocabulary))
        part = order[first : first + most]
        hidden, added = (None if one is None else one[part, :longest] for one in others)
        nll[part] = _nll(
            decoder, injected[part], ids[part, :longest], mask[part, :longest], hidden, added
        ).float()
        first += len(part)
    return nll


def _nll(
    decoder: CausalLMDecoder,
    injected: Injected,
    ids: torch.Tensor,
    mask: torch.Tensor,
    hidden: torch.Tensor | None,
    added: torch.Tensor | None,
) -> torch.Tensor:
    tokens = decoder.lm.get_input_embeddings()(ids[:, :-1])
    if hidden is not None:
        tokens = tokens * (~hidden[:, :-1, None])
    opening = decoder.opening(injected)
    if opening.shift is not None:
        tokens = tokens + opening.shift[:, None]
    x = torch.cat([opening.prompt, tokens], dim=1)
    places = torch.arange(x.shape[1], device=x.device)[None]
    # Padding is at the end and the LM is causal: no mask is needed, and attention takes its fast path.
    settings: dict[str, Any] = {"use_cache": False}
    if opening.memory is not None:
        slots = opening.memory.shape[4]
        masks = decoder.masks(places + slots, slots + x.shape[1], slots, x.dtype)
        settings = {"past_key_values": Remembered(opening.memory), "attention_mask": masks}
    settings["logits_to_keep"] = ids.shape[1]
    logits = decoder.lm(inputs_embeds=x, position_ids=places, **settings).logits
    # Padding costs as much as tokens do: it is left out, and the vocabulary stays the last dimension.
    chosen = logits[mask].float()
    if injected.push is not None:
        chosen = chosen + injected.push[mask.nonzero()[:, 0]]
    if added is not None:
        # Only some rows of a batch have details; the others have zeros there.
        detailed = added.flatten(1).any(dim=1)[:, None].expand_as(mask)[mask]
        told = decoder.details_logits()(added[mask][detailed])
        chosen = chosen.index_add(0, detailed.nonzero()[:, 0], told)
    nll = F.cross_entropy(chosen, ids[mask], reduction="none")
    return nll.new_zeros(mask.shape).masked_scatter(mask, nll).sum(dim=1)
