"""Any model of `transformers`, trainable, as the encoder: text of a row -> mu, logvar.

B rows, T tokens, Z latent size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerFast

from difflm.errors import ConfigError, DataError
from difflm.formats.base import RecordFormat
from difflm.formats.registry import make_format
from difflm.models.decoder import Batch, Encoder
from difflm.models.pretrained import (
    check_vocabulary,
    embeddings_of,
    is_causal,
    load_model,
    load_tokenizer,
    positions_of,
    sentence_pooling,
)

if TYPE_CHECKING:
    from difflm.config import Config
    from difflm.schema import Schema


class TransformersEncoder(Encoder):
    """States of the tokens, pooled to one (mean, last, or the first: cls), then a linear map to 2 Z."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        form: RecordFormat,
        size: int,
        pooling: str | None = None,
    ) -> None:
        """`pooling` None is the last token where the model is causal, else the mean."""
        super().__init__()
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        self.model, self.form, self._tokenizer = model, form, tokenizer
        embeddings = embeddings_of(model)
        check_vocabulary(tokenizer, embeddings)
        with torch.no_grad():
            probe = model(inputs_embeds=embeddings(torch.zeros(1, 1, dtype=torch.long)))[0]
        self.causal = is_causal(model, embeddings)
        self.pooling = pooling or ("last" if self.causal else "mean")
        if self.causal and self.pooling == "cls":
            raise ConfigError(
                "encoder.pooling=mean or last for a causal model", "cls, whose first token sees no other"
            )
        # RoBERTa and its kin read fewer tokens than they have positions; their tokenizers say how many.
        limits = [positions_of(model.config), tokenizer.model_max_length]
        self.limit = int(min(limit for limit in limits if limit is not None))
        self.read = nn.Linear(probe.shape[-1], 2 * size)
        nn.init.normal_(self.read.weight, std=0.02)
        nn.init.constant_(self.read.bias[size:], -2.0)

    @classmethod
    def from_config(cls, config: Config, schema: Schema) -> TransformersEncoder:
        """The model at encoder.path, in float32 since it is trained."""
        path = config.encoder.path
        if path is None:
            raise ConfigError("encoder.path (--encoder NAME_OR_PATH)", "none")
        form, pooling = make_format(schema, config.format.text), config.encoder.pooling
        asked = sentence_pooling(path) if pooling == "auto" else pooling
        return cls(load_model(AutoModel, path), load_tokenizer(path), form, config.latent.size, asked)

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """enc_ids (n, T) int32, padded at the end with 0, and enc_mask (n, T) bool."""
        lines: list[list[int]] = self._tokenizer(self.form.write_rows(rows), verbose=False)["input_ids"]
        longest = max(map(len, lines), default=0)
        if longest > self.limit:
            over = sum(len(line) > self.limit for line in lines)
            raise DataError(
                f"records of at most {self.limit} tokens (the encoder's longest input)",
                f"{over} of {len(lines)} that are longer, up to {longest} tokens",
                "set format.text=compact, shorten the long cells, or take another encoder",
            )
        lengths = torch.tensor([len(line) for line in lines])
        ids = torch.zeros(len(lines), longest, dtype=torch.int32)
        for row, line in enumerate(lines):
            ids[row, : len(line)] = torch.tensor(line, dtype=torch.int32)
        return {"enc_ids": ids, "enc_mask": torch.arange(longest)[None] < lengths[:, None]}

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """mu, logvar (B, Z) in float32."""
        lengths = batch["enc_mask"].sum(dim=1)
        longest = int(lengths.max())
        ids, mask = batch["enc_ids"][:, :longest].long(), batch["enc_mask"][:, :longest]
        settings: dict[str, Any] = {"use_cache": False} if self.causal else {}
        states = self.model(input_ids=ids, attention_mask=mask.long(), **settings)[0]
        if self.pooling == "last":
            pooled = states[torch.arange(len(ids), device=ids.device), lengths - 1]
        elif self.pooling == "cls":
            pooled = states[:, 0]
        else:
            pooled = (states * mask[:, :, None]).sum(dim=1) / lengths[:, None]
        mu, logvar = self.read(pooled).float().chunk(2, dim=-1)
        return mu, logvar.clamp(-12, 4)
