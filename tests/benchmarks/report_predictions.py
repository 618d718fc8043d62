"""The figures of G10 in words."""

from tests.benchmarks.results import Figures

TIMES = {"litserve": 4.0, "litserve_batched": 4.0, "torchserve": 2.0, "rayserve": 10.0}
"""How many times a peer's requests a second are aimed at."""
_NAMES = {
    "litserve": "LitServe",
    "litserve_batched": "LitServe, batching",
    "torchserve": "TorchServe",
    "rayserve": "Ray Serve",
}


def _measured(f: Figures) -> dict[str, Figures]:
    return {name: peer for name, peer in f["peers"].items() if "absent" not in peer}


def times(f: Figures) -> str:
    """Return how many times each peer's throughput it is."""
    found = [f"{peer['times_64_clients']:.1f} × {_NAMES[n]}" for n, peer in _measured(f).items()]
    return ", ".join(found) or "no peer was measured"


def alone(f: Figures) -> str:
    """Return each peer's time of one request."""
    found = [f"{_NAMES[n]} {peer['one_client_p50_ms']:.2f}" for n, peer in _measured(f).items()]
    return ", ".join(found) or "no peer was measured"


def p50_share(f: Figures) -> float:
    """Return our time of one request over the better LitServe's; infinite without it."""
    found = [p["p50_share"] for name, p in _measured(f).items() if name.startswith("litserve")]
    return max(found, default=float("inf"))


def details(f: Figures) -> list[str]:
    """Return the section of the page."""
    lines = [
        "### G10 in detail",
        "",
        "| | one client, requests/s (p50) | 64 clients, requests/s (p50 / p99) | CPU a request "
        "| memory |",
        "|---|---|---|---|---|",
        _row("Outcry, whole desk", f["ours"]),
        *(_row(_NAMES[name], peer) for name, peer in _measured(f).items()),
    ]
    absent = {n: peer["absent"] for n, peer in f["peers"].items() if "absent" in peer}
    lines += [f"\n{_NAMES[name]} was not measured: {why}" for name, why in absent.items()]
    engine = f["engine"]
    lines.append(
        f"\nWithout HTTP, one row: the bare network {engine['bare_call_us']:.0f} µs, with "
        f"checks and head {engine['pipeline_call_us']:.0f}, through the engine and its worker "
        f"{engine['engine_call_us']:.0f} ({engine['added_us']:.0f} µs more than bare)."
    )
    if large := f.get("large"):
        lines += [
            "\nA network of four layers of 1,024 on PyTorch, which takes milliseconds:",
            "",
            "| | one client, requests/s (p50) | 64 clients, requests/s (p50 / p99) | CPU a request "
            "| memory |",
            "|---|---|---|---|---|",
            _row("Outcry, whole desk", large["ours"]),
        ]
        if "litserve_batched" in large:
            lines.append(_row("LitServe, batching", large["litserve_batched"]))
    return lines


def _row(name: str, f: Figures) -> str:
    return (
        f"| {name} | {f['one_client_per_s']:,.0f} ({f['one_client_p50_ms']:.2f} ms) | "
        f"{f['clients_64_per_s']:,.0f} ({f['clients_64_p50_ms']:.1f} / "
        f"{f['clients_64_p99_ms']:.1f} ms) | {f['cpu_us_per_request']:.0f} µs | "
        f"{f['rss_mib']:,.0f} MiB |"
    )
