"""Generation: prior -> z -> injection -> decoder under the grammar -> typed rows, in bounded attempts.

Rejections are counted by reason. Chunks of the same seed are the same rows, however many are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

import pandas as pd
import torch

from difflm.errors import GenerationError
from difflm.memory import enough_memory
from difflm.models.decoder import Batch, Written
from difflm.models.vae import LatentLM
from difflm.precision import mixed
from difflm.priors.base import Prior
from difflm.seeding import seeded
from difflm.stage_sections import SampleConfig

DOUBLINGS = 40
"""After so many any limit is reached."""
CACHE_BYTES = 512 * 2**20
PART = 512
"""Rows that one thread decodes on a CPU: their KV cache stays close to its core. Always the same, so that the rows
of a seed do not depend on the number of threads; a decoder may say another number (`Decoder.part_rows`)."""

Keep = Callable[[pd.DataFrame], pd.Series]
OnProgress = Callable[[int, int], None]


@dataclass
class Tally:
    """How a generation went; `valid` counts records that parsed and fit the schema before any retry."""

    requested: int
    generated: int = 0
    attempts: int = 0
    valid: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, reasons: dict[str, int]) -> None:
        """Add rejections."""
        for reason, number in reasons.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + number

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return asdict(self)


@torch.no_grad()
def decode_latents(
    model: LatentLM,
    z: torch.Tensor,
    sigma: float,
    temperature: float,
    seed: int,
    batch_size: int = 2048,
    null: bool = False,
    only: dict[str, list[int]] | None = None,
    second: torch.Tensor | None = None,
    tilt: torch.Tensor | None = None,
    before: int = 0,
) -> tuple[pd.DataFrame, torch.Tensor, dict[str, int]]:
    """Canonical rows of z (n, Z) at noise level sigma, the row numbers that came through, and rejections.

    `null` leaves the latent out: the decoder alone. `second` (n, T + H, d) are details of these very rows,
    `tilt` (V,) is added to all logits. `before` says how many batches of the same seed are decoded elsewhere."""
    device = next(model.parameters()).device
    model.eval()
    batch_size = rows_at_once(model, batch_size)

    @torch.no_grad()
    def decode(batch: int) -> Written:
        first = batch * batch_size
        part = z[first : first + batch_size].to(device)
        generator = seeded(seed, "decode", before + batch)
        if device.type != "cpu":
            generator = torch.Generator(device).manual_seed(generator.initial_seed())
        with enough_memory("sample.batch_size", len(part)), mixed(device, cache=False):
            injected = (
                model.decoder.null(len(part))
                if null
                else model.inject(part, torch.full((len(part),), float(sigma), device=device))
            )
            if tilt is not None:
                injected = replace(injected, push=tilt.to(device).expand(len(part), -1))
            if second is None or model.details is None:
                return model.decoder.write(injected, temperature, generator, only)
            given = model.details.given(second[first : first + batch_size].to(device))
            return model.decoder.write(injected, temperature, generator, only, given)

    frames, numbers = [], []
    rejected: dict[str, int] = {}
    for batch, written in enumerate(_in_threads(decode, -(-len(z) // batch_size), device)):
        frames.append(written.rows)
        numbers.append(torch.tensor(written.index, dtype=torch.long) + batch * batch_size)
        for reason, count in written.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    return pd.concat(frames, ignore_index=True), torch.cat(numbers), rejected


def _in_threads(decode: Callable[[int], Written], count: int, device: torch.device) -> Iterator[Written]:
    """decode(0), decode(1), ...: on a CPU by one thread a core, since the steps of a small decoder are too short to
    be shared between cores."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or count == 1:
        yield from map(decode, range(count))
        return
    try:
        with ThreadPoolExecutor(min(threads, count), "decode", torch.set_num_threads, (1,)) as pool:
            yield from pool.map(decode, range(count))
    finally:
        # A worker's setting is also the default of the libraries below; give it back.
        torch.set_num_threads(threads)


@torch.no_grad()
def rebuild(
    model: LatentLM, batch: Batch, details: bool = True, chunk: int = 2048
) -> tuple[pd.DataFrame, torch.Tensor]:
    """Encoded records decoded greedily: canonical rows and the row numbers that came through.

    `details` False rebuilds from the core z alone."""
    device = next(model.parameters()).device
    model.eval()
    frames, numbers = [], []
    for first in range(0, len(next(iter(batch.values()))), chunk):
        with mixed(device):
            mu, _, second = model.encode_whole(
                {k: v[first : first + chunk].to(device) for k, v in batch.items()}
            )
        own = second.mu if details and second is not None else None
        rows, index, _ = decode_latents(model, mu, 0.0, 0.0, 0, chunk, second=own)
        frames.append(rows)
        numbers.append(index + first)
    return pd.concat(frames, ignore_index=True), torch.cat(numbers)


@dataclass
class Chunk:
    """Canonical rows and the latents (m, Z) they were decoded from."""

    rows: pd.DataFrame
    z: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The chunks of a seed, by number: each has a set size and draws of its own, so that it is the same whoever makes
    it, when, and beside however many others.

    Without a prior the decoder writes alone. `valid` marks rows that fit the schema; `tests` are the caller's, each
    with the reason for leaving a row out. `tilt` is that of `decode_latents`."""

    model: LatentLM
    prior: Prior | None
    settings: SampleConfig
    seed: int
    tests: Sequence[tuple[str, Keep]] = ()
    only: dict[str, list[int]] | None = None
    valid: Callable[[pd.DataFrame], pd.Series] | None = None
    tilt: torch.Tensor | None = None

    def size(self, number: int) -> int:
        """Attempts in a chunk."""
        first = self.model.decoder.first_rows
        return min(batch_limit(self.model, self.settings.batch_size), first * 2 ** min(number, DOUBLINGS))

    def before(self, number: int) -> int:
        """Attempts in all chunks before this one."""
        growing = min(number, DOUBLINGS)
        return sum(map(self.size, range(growing))) + (number - growing) * self.size(DOUBLINGS)

    def make(self, number: int, tally: Tally, wanted: int | None = None) -> Chunk:
        """The rows of a chunk that are kept, all or at least the first `wanted` of them.

        `tally` counts the others, but no generated ones."""
        count, most = self.size(number), batch_limit(self.model, self.settings.batch_size)
        generator = seeded(self.seed, "prior", number)
        if self.prior is None:
            z = torch.zeros(count, model_latent_size(self.model))
        else:
            z = self.prior.sample(count, generator, self.settings.noise)
        draw = int(torch.randint(2**31, (1,), generator=generator))
        step, done, kept = rows_at_once(self.model, most), 0, 0
        parts: list[Chunk] = []
        while done < count and (wanted is None or kept < wanted):
            # Whole batches, each with draws of its own: the rows do not depend on how many are made. Where few are
            # kept, twice as many each time.
            batches = count if wanted is None else max(-(-(wanted - kept) // step), 2 ** len(parts) // 2)
            last = min(count, done + batches * step)
            parts.append(self._decode(z[done:last], draw, most, done // step, tally))
            done, kept = last, kept + len(parts[-1].rows)
        rows = pd.concat([part.rows for part in parts], ignore_index=True)
        return Chunk(rows, torch.cat([part.z for part in parts]))

    def _decode(self, z: torch.Tensor, draw: int, most: int, before: int, tally: Tally) -> Chunk:
        """The rows of z that are kept."""
        settings, alone = self.settings, self.prior is None
        rows, index, rejected = decode_latents(
            self.model,
            z,
            settings.noise,
            settings.temperature,
            draw,
            most,
            alone,
            self.only,
            tilt=self.tilt,
            before=before,
        )
        tally.attempts += len(z)
        tally.count(rejected)
        good = pd.Series(True, index=rows.index) if self.valid is None else self.valid(rows)
        tally.valid += int(good.sum())
        tally.count({"outside the schema": int((~good).sum())} if not good.all() else {})
        for reason, test in self.tests:
            fits = test(rows)
            tally.count({reason: int((good & ~fits).sum())} if not fits.all() else {})
            good = good & fits
        chosen = good.to_numpy().nonzero()[0]
        return Chunk(rows.iloc[chosen].reset_index(drop=True), z[index][torch.from_numpy(chosen)])

    def check(self, n: int, tally: Tally) -> None:
        """GenerationError when `max_attempts` per wanted row did not suffice."""
        if tally.attempts >= max(self.settings.max_attempts * n, self.settings.batch_size):
            raise GenerationError(
                f"{n} rows that meet the conditions",
                f"{tally.generated} in {tally.attempts} attempts ({_top(tally.rejected)})",
                "loosen the conditions, or raise sample.max_attempts",
            )


def generate(chunks: Chunks, n: int, tally: Tally, on_progress: OnProgress | None = None) -> Iterator[Chunk]:
    """Chunks of together n rows, one after the other; the rows of a seed do not depend on n.

    Raises GenerationError when `max_attempts` per wanted row did not suffice."""
    start, number = time.monotonic(), 0
    while tally.generated < n:
        chunks.check(n, tally)
        left = n - tally.generated
        made = chunks.make(number, tally, left)
        chunk = Chunk(made.rows.iloc[:left], made.z[:left])
        tally.generated += len(chunk.rows)
        tally.seconds = round(time.monotonic() - start, 3)
        number += 1
        if on_progress:
            on_progress(tally.generated, n)
        if len(chunk.rows):
            yield chunk


def batch_limit(model: LatentLM, wanted: int) -> int:
    """Rows decoded at once: fewer than wanted where their caches would fill the memory."""
    per_row = model.decoder.cache_bytes
    return min(wanted, max(16, CACHE_BYTES // per_row)) if per_row else wanted


def rows_at_once(model: LatentLM, most: int) -> int:
    """Rows that are decoded together: a few on a CPU, by each of its threads."""
    most = batch_limit(model, most)
    on_cpu = next(model.parameters()).device.type == "cpu"
    return min(most, model.decoder.part_rows or PART) if on_cpu else most


def model_latent_size(model: LatentLM) -> int:
    """Z, as the injector takes it."""
    return int(model.injector.size)


def _top(rejected: dict[str, int]) -> str:
    named = sorted(rejected.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{count} x {reason}" for reason, count in named) or "nothing was rejected"
