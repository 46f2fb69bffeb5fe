"""Weights of a finished run in bfloat16, half as large: for the runs that are kept in the repository.

    python assets/halve.py RUN

They are read into float32 again. What a run says of itself (latents, scores) was made with the whole numbers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = ("vae/model.safetensors", "prior/diffusion.safetensors")


def main(run: Path) -> None:
    """Rewrite the weights of `run`, and say what became of their size."""
    for name in WEIGHTS:
        path = run / name
        before = path.stat().st_size
        tensors = {
            k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in load_file(path).items()
        }
        save_file(tensors, path)
        print(f"{name}: {before / 1e6:.1f} to {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
