"""Tiny randomly initialised language models and their tokenizers, saved as users have them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
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
