"""Generation against the loop of the reference code, re-created from its description: one row at a time, no cache, each
token recomputing the whole prefix.

Same decoder, same latents, same machine; both write records of the same number of tokens (the reference is told when to
stop, which spares it the rows that it would have thrown away). Without a run one is made: Adult or the bundled table as
JSON, written by the bundled base model, frozen, hardly trained, for speed does not depend on how well it writes.

    DIFFLM_DATA=... python benchmarks/reference_loop.py [RUN] [--data tips] [--rows 2048] [--reference-rows 8]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from difflm import DiffLM
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import Injected
from difflm.provenance import machine, versions

HARDLY = {
    "decoder.kind": "causal_lm",
    "decoder.path": "base-tiny",
    "decoder.training": "frozen",
    "format.text": "json",
    "vae.epochs": 0.05,
    "prior.steps": 50,
}


@torch.no_grad()
def reference_row(decoder: CausalLMDecoder, injected: Injected, tokens: int, temperature: float) -> list[int]:
    """One record of so many tokens, as the reference code draws it."""
    lm = decoder.lm
    written: list[int] = []
    opening = decoder.opening(injected).prompt
    for _ in range(tokens):
        ids = torch.tensor([written], dtype=torch.long, device=decoder.device)
        x = torch.cat([opening, lm.get_input_embeddings()(ids)], dim=1) if written else opening
        logits = lm(inputs_embeds=x, use_cache=False).logits[0, -1].float()
        written.append(int(torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1)))
    return written


def measure(model: DiffLM, rows: int, reference_rows: int) -> None:
    """Print rows a second of both, and how many times faster one is."""
    decoder = model.artifact.model.decoder
    if not isinstance(decoder, CausalLMDecoder):
        raise SystemExit(
            "expected a run whose decoder is a causal LM, as the reference code's is, but got a compact one; train one "
            "with --decoder"
        )
    model.sample(32, seed=1)
    start = time.perf_counter()
    made = model.sample(rows, seed=0)
    ours = rows / (time.perf_counter() - start)
    tokens = round(statistics.mean(len(line) for line in _tokens(decoder, model, made)))
    z = torch.from_numpy(made.attrs["latents"][:reference_rows]).to(decoder.device)
    start = time.perf_counter()
    with torch.no_grad():
        for row in z:
            reference_row(
                decoder,
                model.artifact.model.inject(row[None], torch.zeros(1, device=decoder.device)),
                tokens,
                0.5,
            )
    theirs = len(z) / (time.perf_counter() - start)
    weights = sum(p.numel() for p in decoder.lm.parameters()) / 1e6
    print(f"decoder {model.config.decoder.path}, {weights:.1f} M weights, {tokens} tokens a record")
    print(f"difflm sample      {ours:10.2f} records/s ({rows} records, latents and parsing included)")
    print(f"reference's loop   {theirs:10.4f} records/s ({len(z)} records)")
    print(f"ratio              {ours / theirs:10.1f}")


def _tokens(decoder: CausalLMDecoder, model: DiffLM, rows: object) -> list[list[int]]:
    canonical = model.schema.canonical(rows)  # type: ignore[arg-type]
    return [decoder.grammar.encode(text) for text in decoder.form.write_rows(canonical.iloc[:256])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    default = "paper/adult" if os.environ.get("DIFFLM_DATA") else "tips"
    parser.add_argument("--data", default=default, help="what a run is made of where none is given")
    parser.add_argument("--decoder", default="base-tiny")
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--reference-rows", type=int, default=8)
    chosen = parser.parse_args()
    print(f"on {machine()}; {versions()}")
    with tempfile.TemporaryDirectory() as folder:
        if chosen.run is not None:
            model = DiffLM.from_pretrained(chosen.run)
        else:
            settings = {**HARDLY, "decoder.path": chosen.decoder}
            model = DiffLM.fit(
                chosen.data, run=Path(folder) / "run", preset="quick", seed=0, overrides=settings
            )
        measure(model, chosen.rows, chosen.reference_rows)


if __name__ == "__main__":
    main()
