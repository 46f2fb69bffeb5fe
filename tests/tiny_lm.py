"""Tiny randomly initialised language models and their tokenizers, saved as users have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

LINES = ['{"age": 39, "job": "clerk", "price": 12.50, "note": null}', "39,clerk,12.50,some words here"] * 5


def byte_level(**special: str) -> PreTrainedTokenizerFast:
    """As GPT-2 and Llama 3 have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = sorted(set(special.values()))
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=330, initial_alphabet=alphabet, special_tokens=names, show_progress=False
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def sentence_piece() -> PreTrainedTokenizerFast:
    """As Llama 2 and Mistral have it: a space is put before the text, unknown characters become bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=120, show_progress=False))
    pieces = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *pieces["vocab"]]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    merges = [(left, right) for left, right in pieces["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def save_gpt2(path: Path, tokenizer: PreTrainedTokenizerFast, positions: int = 256) -> Path:
    """A GPT-2 of width 32 with learned positions; its vocabulary is padded beyond the tokenizer's."""
    torch.manual_seed(1)
    size = len(tokenizer) + 9
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=positions, **ends)
    GPT2LMHeadModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def save_llama(path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A Llama of width 32 with grouped-query attention and rotary positions."""
    torch.manual_seed(2)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
        )
    ).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def save_bert(path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A BERT of width 32."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


SLIDING = ["sliding_attention", "full_attention"]
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "llama": ("llama", {"tie_word_embeddings": True}),  # SmolLM is a Llama with tied embeddings
    "mistral": ("mistral", {"head_dim": 16, "sliding_window": 12}),
    "qwen2": ("qwen2", {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1}),
    "qwen3": ("qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
    "gemma": ("gemma", {"head_dim": 16}),
    "gemma2": ("gemma2", {"head_dim": 16, "sliding_window": 12, "query_pre_attn_scalar": 16}),
    "gemma3": ("gemma3_text", {"head_dim": 16, "sliding_window": 12, "layer_types": SLIDING}),
    "phi": ("phi", {}),
    "phi3": ("phi3", {"sliding_window": 12}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0]}),
}
"""Model type and what its tiny version has beside SMALL: shared heads, heads that are not as wide as width / heads,
windows that are shorter than a record."""
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
ENDS: dict[str, dict[str, str]] = {
    "qwen2": {"eos_token": "<e>", "pad_token": "<p>"},
    "qwen3": {"eos_token": "<e>", "pad_token": "<p>"},
    "phi": {"bos_token": "<e>", "eos_token": "<e>"},
}
"""Special tokens of those without a BOS of their own; the others have <s> and </s>, and no padding token."""


def save_family(path: Path, name: str) -> Path:
    """A tiny model of FAMILIES with a tokenizer as its family has it."""
    kind, own = FAMILIES[name]
    ends = ENDS.get(name, {"bos_token": "<s>", "eos_token": "</s>"})
    tokenizer = byte_level(**ends)
    numbers = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    numbers |= {f"{role}_id": tokenizer.convert_tokens_to_ids(text) for role, text in ends.items()}
    common = {} if kind == "gpt2" else SMALL
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **numbers, **{**common, **own})
    torch.manual_seed(4)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # as trained models, not so flat that nothing tells tokens apart
            if parameter.ndim == 2:
                parameter.mul_(4.0)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
