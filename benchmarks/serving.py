"""`mtl serve` under load: one client, then 32 clients, each of which sends the next request after the response.

    python -m benchmarks serving [RUN] [SECONDS] [OPTION of mtl serve…]

This process generates the load over raw sockets; the server runs in another process. Without a RUN, `absa-minilm`
is trained briefly. On a busy machine, the CPU time is more reliable than the wall time.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter

from absa_plugin.semeval import SemEval2014
from benchmarks.shared import mtl

SAMPLE = Path(__file__).parents[1] / "absa_plugin" / "sample"
CLIENTS = 32
SECONDS = 10.0
WARM = 1.0
HEAD = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "


def main() -> None:
    """Start the server, send requests, print the results."""
    arguments = sys.argv[2:] if sys.argv[1:2] == ["serving"] else []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(arguments[0]) if arguments else _trained(Path(folder))
        seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
        words = [mtl(), "serve", str(run), "--port", "0", *arguments[2:]]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            line = server.stdout.readline()
            port = int(line.partition("http://127.0.0.1:")[2].split()[0])
            try:
                _report(port, seconds, server.pid)
            finally:
                server.terminate()


def _trained(folder: Path) -> Path:
    run = folder / "run"
    settings = ["training.epochs=1", "training.refit=false", "split={type: random, validation: 0.9}"]
    options = [option for setting in settings for option in ("--set", setting)]
    subprocess.run([mtl(), "run", "absa-minilm", "--out", str(run), *options], check=True, capture_output=True)
    return run


def _report(port: int, seconds: float, server: int) -> None:
    texts = [str(text) for text in SemEval2014(train=SAMPLE / "train.xml").load().inputs]
    alone = asyncio.run(_load(port, texts, 1, seconds, server))
    many = asyncio.run(_load(port, texts, CLIENTS, seconds, server))
    for clients, said in ((1, alone), (CLIENTS, many)):
        times = sorted(said.times)
        print(
            f"{clients} clients: median {1000 * statistics.median(times):.1f} ms, "
            f"95 % within {1000 * times[int(0.95 * len(times))]:.1f} ms, {len(times) / said.seconds:.0f} texts per "
            f"second, {1000 * said.processor / len(times):.1f} ms of CPU time per text, {said.errors} errors, "
            f"{said.wrong} responses with the text of another request"
        )
    ratio = (len(many.times) / many.seconds) / (len(alone.times) / alone.seconds)
    print(f"the throughput with {CLIENTS} clients is {ratio:.1f} times that of one client")


@dataclass
class Load:
    """The measurements of the clients."""

    times: list[float] = field(default_factory=list)
    errors: int = 0
    wrong: int = 0
    seconds: float = 0.0
    processor: float = 0.0


async def _load(port: int, texts: list[str], clients: int, seconds: float, server: int) -> Load:
    await _clients(port, texts, clients, WARM)
    start, used = perf_counter(), _processor(server)
    seen = await _clients(port, texts, clients, seconds)
    seen.seconds, seen.processor = perf_counter() - start, _processor(server) - used
    return seen


def _processor(process: int) -> float:
    """Return the CPU time of a process in seconds; NaN on systems without /proc."""
    told = Path(f"/proc/{process}/stat")
    if not told.is_file():
        return float("nan")
    fields = told.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _clients(port: int, texts: list[str], clients: int, seconds: float) -> Load:
    seen, end = Load(), perf_counter() + seconds
    every = (texts[place % len(texts) :] + texts[: place % len(texts)] for place in range(0, 37 * clients, 37))
    await asyncio.gather(*(_client(port, own, end, seen) for own in every))
    return seen


async def _client(port: int, texts: list[str], end: float, seen: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for text in cycle(texts):
        if perf_counter() > end:
            break
        body = json.dumps({"text": text}).encode()
        head = f"{HEAD}{len(body)}\r\n\r\n"
        start = perf_counter()
        writer.write(head.encode() + body)
        status = await reader.readline()
        length = 0
        while (line := await reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        answer = await reader.readexactly(length)
        seen.times.append(perf_counter() - start)
        if b" 200 " not in status:
            seen.errors += 1
        elif json.loads(answer)["text"] != text:
            seen.wrong += 1
    writer.close()
