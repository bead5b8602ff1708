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

from benchmarks.local_data import SAMPLE, load_sentences
from benchmarks.measurement import find_mtl, format_seconds, format_settings, run_mtl
from benchmarks.reference import measure_reference

CLIENTS = 32
SECONDS = 10.0
WARMUP_S = 1.0
HEAD = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "


def main() -> None:
    """Start the server, send requests, print the results."""
    reference = measure_reference()
    arguments = sys.argv[2:] if sys.argv[1:2] == ["serving"] else []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(arguments[0]) if arguments else _train_run(Path(folder))
        seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
        command = [find_mtl(), "serve", str(run), "--port", "0", *arguments[2:]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            line = server.stdout.readline()
            port = int(line.partition("http://127.0.0.1:")[2].split()[0])
            try:
                _report(port, seconds, server.pid, reference)
            finally:
                server.terminate()


def _train_run(folder: Path) -> Path:
    run = folder / "run"
    settings = ("training.epochs=1", "training.refit=false", "split={type: random, validation: 0.9}")
    run_mtl("run", "absa-minilm", "--out", run, *format_settings(*settings))
    return run


def _report(port: int, seconds: float, server: int, reference: float) -> None:
    texts = load_sentences(SAMPLE)
    single_load = asyncio.run(_measure_load(port, texts, 1, seconds, server))
    concurrent_load = asyncio.run(_measure_load(port, texts, CLIENTS, seconds, server))
    for clients, load in ((1, single_load), (CLIENTS, concurrent_load)):
        times = sorted(load.times)
        print(
            f"{clients} clients: median {format_seconds(statistics.median(times), reference)}, "
            f"95 % within {format_seconds(times[int(0.95 * len(times))], reference)}, "
            f"{len(times) / load.seconds:.0f} texts per second, "
            f"{format_seconds(load.cpu_s / len(times), reference)} of CPU time per text, {load.errors} errors, "
            f"{load.mismatches} responses with the text of another request"
        )
    ratio = (len(concurrent_load.times) / concurrent_load.seconds) / (len(single_load.times) / single_load.seconds)
    print(f"the throughput with {CLIENTS} clients is {ratio:.1f} times that of one client")


@dataclass
class Load:
    """The measurements of the clients."""

    times: list[float] = field(default_factory=list)
    errors: int = 0
    mismatches: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


async def _measure_load(port: int, texts: list[str], clients: int, seconds: float, server: int) -> Load:
    await _run_clients(port, texts, clients, WARMUP_S)
    start, cpu_before = perf_counter(), _read_cpu_time(server)
    load = await _run_clients(port, texts, clients, seconds)
    load.seconds, load.cpu_s = perf_counter() - start, _read_cpu_time(server) - cpu_before
    return load


def _read_cpu_time(process: int) -> float:
    """Return the CPU time of a process in seconds; NaN on systems without /proc."""
    stat_path = Path(f"/proc/{process}/stat")
    if not stat_path.is_file():
        return float("nan")
    fields = stat_path.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _run_clients(port: int, texts: list[str], clients: int, seconds: float) -> Load:
    load, end = Load(), perf_counter() + seconds
    texts_per_client = (
        texts[offset % len(texts) :] + texts[: offset % len(texts)] for offset in range(0, 37 * clients, 37)
    )
    await asyncio.gather(*(_run_client(port, client_texts, end, load) for client_texts in texts_per_client))
    return load


async def _run_client(port: int, texts: list[str], end: float, load: Load) -> None:
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
        response = await reader.readexactly(length)
        load.times.append(perf_counter() - start)
        if b" 200 " not in status:
            load.errors += 1
        elif json.loads(response)["text"] != text:
            load.mismatches += 1
    writer.close()
