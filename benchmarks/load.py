"""Many visitors at once: each opens the demo, looks at pages, walks between rows, generates; no browser is needed.

Speaks Streamlit's own protocol, so that what is measured is the server and not twenty browsers beside it. Prints how
long each kind of answer took (from the click until the script has run to its end), and the server's memory.

    python benchmarks/load.py [--sessions 20] [--rounds 3] [--think 2] [--url http://127.0.0.1:8501 --pid PID]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from difflm.provenance import machine, versions  # noqa: E402
from tests.browser.server import app  # noqa: E402

PAGES = ("latent_map", "compare", "runs", "interpolate", "generate")


class Visitor:
    """One session: its pages, its buttons by label, and how long each answer took."""

    def __init__(self, url: str, times: dict[str, list[float]], own_seed: int | None) -> None:
        self.own_seed = own_seed
        self.url, self.times = url.replace("http", "ws") + "/_stcore/stream", times
        self.pages: dict[str, str] = {}
        self.buttons: dict[str, tuple[str, str]] = {}
        """Id and fragment of each button, by its label."""
        self.seed_input = ""
        self.page = ""
        self.failures: list[str] = []

    async def visit(self, rounds: int, think: float, seed: int) -> None:
        """Come, look around, leave."""
        rng = random.Random(seed)
        async with websockets.connect(self.url, subprotocols=["streamlit"], max_size=2**28) as self.socket:  # type: ignore[list-item]
            await self._ask("home (first)")
            for _ in range(rounds):
                for name in PAGES:
                    await asyncio.sleep(rng.uniform(0.3, 1.7) * think)
                    self.page = self.pages[name]
                    await self._ask(f"page {name}")
                    for label, what in (("Two random rows", "walk of 9"), ("Generate", "generate 1,000")):
                        if label in self.buttons:
                            await asyncio.sleep(rng.uniform(0.3, 1.7) * think)
                            await self._ask(what, self.buttons[label])

    async def _ask(self, what: str, button: tuple[str, str] | None = None) -> None:
        """Run the script, with a click where `button` is an id, and wait until it has ended."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.query_string = ""
        if button is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = button[0], True
            # A browser runs the fragment of a button alone where it is in one.
            message.rerun_script.fragment_id = button[1]
            if self.own_seed is not None and self.seed_input:
                seed = message.rerun_script.widget_states.widgets.add()
                seed.id, seed.int_value = self.seed_input, self.own_seed
        self.buttons = {} if button is None else self.buttons
        start = time.monotonic()
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self.socket.recv())  # type: ignore[arg-type]
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self.pages = {
                    page.url_pathname: page.page_script_hash for page in answer.navigation.app_pages
                }
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                self._note(answer.delta.new_element, answer.delta.fragment_id)
            elif kind == "script_finished" and answer.script_finished in (0, 1, 3):
                # A switch of pages or a rerun ends one script early and starts the next.
                break
        self.times[what].append(time.monotonic() - start)

    def _note(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "button":
            self.buttons[element.button.label] = (element.button.id, fragment)
        elif kind == "number_input" and element.number_input.label == "Seed":
            self.seed_input = element.number_input.id
        elif kind == "exception":
            self.failures.append(element.exception.message[:200])


async def memory(process: psutil.Process, peak: list[float], stop: asyncio.Event) -> None:
    """The most that the server and its children held, in GB."""
    while not stop.is_set():
        held = [p for p in (process, *process.children(recursive=True)) if p.is_running()]
        peak[0] = max(peak[0], sum(p.memory_info().rss for p in held) / 1e9)
        await asyncio.sleep(0.5)


async def load(
    url: str, pid: int, sessions: int, rounds: int, think: float, own_seeds: bool
) -> tuple[Any, float, list[str]]:
    """All visitors at once: times by kind of answer, peak memory, failures."""
    times: dict[str, list[float]] = defaultdict(list)
    peak, stop = [0.0], asyncio.Event()
    watching = asyncio.create_task(memory(psutil.Process(pid), peak, stop))
    first: dict[str, list[float]] = defaultdict(list)
    # The first visitor of a server also waits for imports and the model, once; told apart.
    await Visitor(url, first, None).visit(1, think, 0)
    print(
        "alone on a server just started: "
        + ", ".join(f"{what} {taken[0]:.1f} s" for what, taken in first.items())
    )
    visitors = [Visitor(url, times, seed if own_seeds else None) for seed in range(1, sessions + 1)]
    await asyncio.gather(*(visitor.visit(rounds, think, seed) for seed, visitor in enumerate(visitors)))
    stop.set()
    await watching
    return times, peak[0], [text for visitor in visitors for text in visitor.failures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--think", type=float, default=2.0, help="mean seconds between two clicks")
    parser.add_argument(
        "--own-seeds",
        action="store_true",
        help="each visitor generates by a seed of its own; else all get the answer that is kept",
    )
    parser.add_argument("--url", default=None, help="a server that runs already (with --pid)")
    parser.add_argument("--pid", type=int, default=None)
    chosen = parser.parse_args()

    def report(url: str, pid: int) -> None:
        made = load(url, pid, chosen.sessions, chosen.rounds, chosen.think, chosen.own_seeds)
        times, peak, failures = asyncio.run(made)
        print(f"{chosen.sessions} sessions, {chosen.rounds} rounds, {chosen.think} s between clicks")
        print(f"on {machine()}; {versions()}")
        print(f"{'answer':24} {'count':>6} {'median':>8} {'p95':>8} {'longest':>8}  seconds")
        for what, taken in sorted(times.items()):
            cut = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
            print(f"{what:24} {len(taken):6} {statistics.median(taken):8.2f} {cut:8.2f} {max(taken):8.2f}")
        print(f"peak memory of the server {peak:.2f} GB; {len(failures)} errors shown {failures[:3]}")

    if chosen.url is not None:
        report(chosen.url, chosen.pid)
        return
    with app({}) as url:
        port = int(url.rsplit(":", 1)[1])
        server = next(p for p in psutil.Process().children(recursive=True) if str(port) in p.cmdline())
        report(url, server.pid)


if __name__ == "__main__":
    main()
