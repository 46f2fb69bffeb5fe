"""Documents of tokens packed into windows of one length, whole wherever they fit (Ding et al. 2024, arXiv 2404.10830).

A window holds T + 1 tokens: T inputs, and the T tokens that follow them. A longer document is cut, with one token of
overlap so that every token but the first is predicted; what is left of it is packed like a short one.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


class Windows:
    """W windows over a flat array of tokens; each is a run of pieces, the rest of it `pad`."""

    def __init__(
        self, tokens: NDArray[np.uint16], pieces: list[list[tuple[int, int]]], length: int, pad: int
    ) -> None:
        self.tokens, self.pieces, self.length, self.pad = tokens, pieces, length, pad

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def filled(self) -> float:
        """Share of the places that hold a token."""
        held = sum(size for window in self.pieces for _, size in window)
        return held / max(len(self) * (self.length + 1), 1)

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """ids (B, T + 1) int64 of the windows `rows` (B,)."""
        ids = np.full((len(rows), self.length + 1), self.pad, dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            at = 0
            for start, size in self.pieces[row]:
                ids[place, at : at + size] = self.tokens[start : start + size]
                at += size
        return torch.from_numpy(ids)


def pack(
    tokens: NDArray[np.uint16],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    length: int,
    pad: int,
    seed: int,
) -> Windows:
    """Documents (n,) by their place in `tokens` in windows of `length` + 1 tokens: best fit, the longest first,
    ties and the order inside a window drawn by `seed`."""
    rng = np.random.default_rng([seed, len(starts), length])
    room = length + 1
    windows: list[list[tuple[int, int]]] = []
    short: list[tuple[int, int]] = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        while size > room:
            windows.append([(start, room)])
            start, size = start + length, size - length
        if size > 1:
            short.append((start, size))
    lengths = np.array([size for _, size in short], dtype=np.int64)
    order = np.lexsort((rng.random(len(short)), -lengths))
    open_: list[list[int]] = [[] for _ in range(room + 1)]
    mask = 0
    for number in order.tolist():
        size = short[number][1]
        fitting = mask >> size
        if fitting:
            space = size + (fitting & -fitting).bit_length() - 1
            window = open_[space].pop()
            if not open_[space]:
                mask &= ~(1 << space)
        else:
            space, window = room, len(windows)
            windows.append([])
        windows[window].append(short[number])
        if space > size:
            open_[space - size].append(window)
            mask |= 1 << (space - size)
    for window_pieces in windows:
        if len(window_pieces) > 1:
            window_pieces[:] = [window_pieces[i] for i in rng.permutation(len(window_pieces))]
    return Windows(tokens, windows, length, pad)
