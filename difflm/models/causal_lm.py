"""Any causal LM of `transformers` as the decoder: the paper's method (DESIGN section 4.1).

B rows, T tokens, P soft tokens, D embedding width, V vocabulary. The soft prompt stands before BOS, or before the
record itself where the model has no BOS; without both a learned embedding begins the record. A frozen LM is no
submodule: its weights are neither trained nor saved with a run, but they follow the decoder to its device. One that is
trained along is a submodule, and its weights belong to the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from difflm.errors import ConfigError
from difflm.formats.base import RecordFormat
from difflm.formats.registry import make_format
from difflm.formats.text_grammar import TextGrammar
from difflm.models.attention_masks import AttentionMasks
from difflm.models.causal_loading import is_quantised, load_decoder
from difflm.models.causal_nll import rows_nll
from difflm.models.causal_writer import CausalWriter
from difflm.models.decoder import Batch, Decoder, Given, Written
from difflm.models.injected import STD, Injected, MemoryShape
from difflm.models.kv_memory import measure_keys
from difflm.models.lm_layers import are_away, layers_of, set_up_layers
from difflm.models.lm_memory import slots_of
from difflm.models.lm_steps import GraphedSteps, LMSteps
from difflm.models.lm_texts import padded
from difflm.models.pretrained import (
    check_vocabulary,
    embedding_factor,
    embeddings_of,
    is_causal,
    load_tokenizer,
    positions_of,
)
from difflm.models.writing_lm import writing_lm

if TYPE_CHECKING:
    from difflm.config import Config
    from difflm.schema import Schema

PART_ROWS, FIRST_ROWS = 32, 16
"""Rows that one thread of a CPU writes, all at once, and those of the first batch. A next row in a free slot gains
nothing there: the longest row then sets what all attend to."""


class CausalLMDecoder(Decoder):
    """A causal LM that reads what is injected and writes the text of a record."""

    first_rows, part_rows = FIRST_ROWS, PART_ROWS
    memory_scale: torch.Tensor

    def __init__(
        self,
        lm: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        form: RecordFormat,
        soft_tokens: int,
        max_tokens: int,
        trained: bool = False,
        memory_slots: int = 0,
    ) -> None:
        super().__init__()
        lm.requires_grad_(trained).eval()
        embeddings = embeddings_of(lm)
        check_vocabulary(tokenizer, embeddings)
        table: Any = embeddings.weight
        self._held = (lm,)
        self._graphed: GraphedSteps | None = None
        self._fused = lm.config._attn_implementation == "sdpa"
        if trained:
            self.own = lm
        self.form, self.max_tokens = form, max_tokens
        self.width = int(table.shape[1])
        # The head works on each token as the embedding does not; where they are tied they count once.
        counted = {id(p): p.numel() for p in lm.parameters()}
        tied = lm.get_output_embeddings() is None or lm.get_output_embeddings().weight is table
        self.weights = sum(counted.values()) - (0 if tied else table.numel())
        self.scale = float(table.detach().float().std()) * embedding_factor(embeddings) / STD
        self.bos: int | None = tokenizer.bos_token_id
        self.grammar = TextGrammar(form, tokenizer, len(self.head_rows()), tokenizer.eos_token_id)
        self._tokenizer = tokenizer
        if memory_slots:
            self._memory_shape, spread = measure_keys(lm)
            self.register_buffer("memory_scale", spread / STD, persistent=False)
        self.add_null(soft_tokens, memory_slots)
        if self.bos is None and not soft_tokens:
            self.start = nn.Parameter(torch.randn(self.width) * STD)
        if not is_causal(lm, embeddings, loose=is_quantised(lm)):
            raise ConfigError("a causal language model", f"{type(lm).__name__}, which sees later tokens")
        limit, needed = positions_of(lm.config), soft_tokens + 1 + max_tokens
        self.masks = AttentionMasks(lm.config, needed + memory_slots)
        self.room = -(-(needed + memory_slots + 1) // 8) * 8
        if limit is not None and needed > limit:
            raise ConfigError(
                f"at most {limit} positions (the longest input of this LM)",
                f"{needed} = {soft_tokens} soft tokens + 1 + decoder.max_tokens",
                f"set decoder.max_tokens to at most {limit - soft_tokens - 1}",
            )

    @classmethod
    def from_config(cls, config: Config, schema: Schema) -> CausalLMDecoder:
        """The LM at decoder.path."""
        settings, enters = config.decoder, config.injection
        lm, form = load_decoder(settings), make_format(schema, config.format.text)
        tokenizer = load_tokenizer(str(settings.path))
        made = cls(
            lm, tokenizer, form, enters.soft_tokens, settings.max_tokens, settings.joint, enters.memory_slots
        )
        set_up_layers(lm, settings)
        return made

    def train(self, mode: bool = True) -> CausalLMDecoder:
        """On a CPU plain products are faster than the fused attention kernel forwards and backwards, and slower in
        writing."""
        super().train(mode)
        if mode:
            self._graphed = None
        if self._fused and self.device.type == "cpu":
            self.lm.set_attn_implementation("eager" if mode else "sdpa")
        for layer in layers_of(self.lm):
            # A frozen LM stays in evaluation mode, without dropout: only its layers have to know that they are trained
            # through. What is below a layer keeps its own mode.
            if layer.gradient_checkpointing:
                layer.training = mode
        return self

    @property
    def lm(self) -> PreTrainedModel:
        """The language model."""
        return self._held[0]

    @property
    def device(self) -> torch.device:
        """Of its embeddings."""
        return self.token_rows().device

    def token_rows(self) -> torch.Tensor:
        """Input embeddings (V, D) of its tokens."""
        table: Any = self.lm.get_input_embeddings().weight
        rows: torch.Tensor = table
        return rows

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> CausalLMDecoder:
        if "own" not in self._modules and not is_quantised(self.lm):
            self.lm._apply(fn, recurse)
        self._graphed = None
        super()._apply(fn, recurse)
        return self

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """text_ids (n, T) int32, padded at the end with 0, and text_mask (n, T) bool.

        Raises DataError where records are longer than max_tokens: they are never cut."""
        lines = [self.grammar.encode(text) for text in self.form.write_rows(rows)]
        ids, mask = padded(lines, self.max_tokens)
        return {"text_ids": ids, "text_mask": mask}

    def memory_shape(self) -> MemoryShape:
        """As the LM itself keeps keys and values."""
        return self._memory_shape

    @torch.no_grad()
    def instruction(self, text: str, tokens: int) -> torch.Tensor:
        """The embeddings of the text, repeated or cut to so many (Lester et al. 2021); at random without a text."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        if not ids:
            return torch.randn(tokens, self.width) * STD
        embeddings = self.lm.get_input_embeddings()
        repeated = torch.tensor((ids * tokens)[:tokens], device=self.device)
        return (embeddings(repeated).float() / self.scale).cpu()

    def row_nll(
        self,
        injected: Injected,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Nats (B,) of the rows, end token included; word_dropout (B, T) blanks input tokens of text_ids."""
        longest = int(batch["text_mask"].sum(dim=1).max())
        ids, mask = batch["text_ids"][:, :longest].long(), batch["text_mask"][:, :longest]
        if word_dropout is not None:
            if word_dropout.shape != batch["text_ids"].shape:
                got = f"{tuple(word_dropout.shape)}"
                raise ConfigError("word dropout over text_ids", got, "set vae.word_dropout=0")
            word_dropout = word_dropout[:, :longest]
        if added is not None:
            added = added[:, :longest]
        return rows_nll(self, injected, ids, mask, word_dropout, added)

    def opening(self, injected: Injected) -> Injected:
        """What is injected, in the LM's own scale; its prompt is all that stands before the record (B, O, D)."""
        x = self.scaled(injected.prompt)
        shift = None if injected.shift is None else self.scaled(injected.shift)
        if self.bos is not None:
            ids = torch.full((len(x), 1), self.bos, device=self.device)
            x = self._after(x, self.lm.get_input_embeddings()(ids), shift)
        elif not x.shape[1]:
            x = self._after(x, self.scaled(self.start).expand(len(x), 1, -1), shift)
        memory = injected.memory
        if memory is not None:
            memory = (memory * self.memory_scale[:, :, None, None, None]).to(x.dtype)
        return Injected(x, memory, shift, injected.push)

    @staticmethod
    def _after(x: torch.Tensor, begin: torch.Tensor, shift: torch.Tensor | None) -> torch.Tensor:
        return torch.cat([x, begin if shift is None else begin + shift[:, None]], dim=1)

    def head_rows(self) -> torch.Tensor:
        """Output embeddings (V, D)."""
        head: Any = self.lm.get_output_embeddings() or self.lm.get_input_embeddings()
        rows: torch.Tensor = head.weight
        return rows

    def details_logits(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """From details (..., D) to what they add to the logits (..., V), in float32: products with the head's own rows.

        They act behind the LM, not on its input, where a hint of the next token would look like a wrong last one. The
        size of the rows is measured once: weights stay as they are for a step, and for a batch that is written."""
        rows = self.head_rows()
        spread = float(rows.detach().float().std())
        return lambda added: F.linear(added.to(rows.dtype), rows).float() / spread * STD

    def scaled(self, x: torch.Tensor) -> torch.Tensor:
        """`x` in the scale and precision of the LM's embeddings."""
        return (x * self.scale).to(self.token_rows().dtype)

    @torch.no_grad()
    def write(
        self,
        injected: Injected,
        temperature: float,
        generator: torch.Generator,
        only: Mapping[str, Sequence[Any]] | None = None,
        given: Given | None = None,
    ) -> Written:
        """One row for each of `injected`, under the grammar of the format and the schema's limits.

        `only` maps columns to the canonical cells that they may take, None standing for missing."""
        texts: list[str] = []
        index: list[int] = []
        reasons: Counter[str] = Counter()
        to_logits = None if given is None else self.details_logits()
        matchers = self.grammar.start(len(injected), only)
        added = None if given is None else given.inputs
        writer = self.writer(injected, added, to_logits, self.slots())
        writer.run(matchers, self.max_tokens, temperature, generator)
        for row, ids in enumerate(matchers.written):
            if not matchers.done[row]:
                reasons[f"longer than {self.max_tokens} tokens"] += 1
            elif (problem := matchers.problem(row)) is not None:
                reasons[problem] += 1
            else:
                texts.append(self.grammar.decode(ids))
                index.append(row)
        rows, rejected = self.form.read_rows(texts, strict=True)
        reasons.update(rejected.values())
        return Written(rows, [row for place, row in enumerate(index) if place not in rejected], dict(reasons))

    def slots(self) -> int:
        """Rows that are written at once; on a GPU the next begin where others end."""
        if self.device.type != "cuda":
            return PART_ROWS
        return slots_of(self.lm.config, self.room, self.token_rows().element_size(), self.device)

    def writer(
        self,
        injected: Injected,
        added: torch.Tensor | None = None,
        to_logits: Callable[[torch.Tensor], torch.Tensor] | None = None,
        slots: int | None = None,
    ) -> CausalWriter:
        """Step-by-step decoding of rows by what is injected into them."""
        steps = self.steps(graphed=slots is not None and len(injected) >= slots)
        return CausalWriter(steps, self.opening(injected), added, to_logits, slots)

    def steps(self, graphed: bool) -> LMSteps:
        """Passes of the LM; with `graphed`, where a GPU can, those that are captured once and kept for all that is
        written until the LM is trained again."""
        if is_quantised(self.lm) or are_away(self.lm):
            return LMSteps(self.lm, self.masks)
        if not graphed or self.device.type != "cuda":
            return LMSteps(writing_lm(self.lm), self.masks)
        if self._graphed is None:
            self._graphed = GraphedSteps(writing_lm(self.lm), self.masks, self.room)
        return self._graphed
