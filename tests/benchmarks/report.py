"""Figures into words: the table on the terminal and `docs/performance.md`. Measures nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.report_predictions import TIMES, alone, details, p50_share, times
from tests.benchmarks.results import ROOT, Figures

DOCS = ROOT / "docs" / "performance.md"


@dataclass(frozen=True)
class Line:
    """One goal as a line of the table."""

    goal: str
    what: str
    target: str
    figure: Callable[[Any], str]
    met: Callable[[Any], bool]


LINES = [
    Line(
        "g1",
        "CPU per streamed token, server and Postgres, 100 streams of 100 tokens/s",
        "≤ 2.5 × the relay floor",
        lambda f: (
            f"{f['total_us_per_token']:.1f} µs (server {f['server_us_per_token']:.1f}, Postgres "
            f"{f['postgres_us_per_token']:.1f}); floor {f['floor_us_per_token']:.1f}: "
            f"{f['ratio_to_floor']:.2f} ×"
        ),
        lambda f: f["ratio_to_floor"] <= 2.5,
    ),
    Line(
        "g3",
        "added time to the first token, one stream",
        "≤ 8 ms",
        lambda f: f"{f['alone_added_ms']:.1f} ms",
        lambda f: f["alone_added_ms"] <= 8,
    ),
    Line(
        "g3",
        "added time to the first token, p99 of 100 that start at once",
        "≤ 150 ms (a quarter of a FastAPI service with ChatOpenAI, as measured for the goal)",
        lambda f: f"{f['burst_added_p99_ms']:.0f} ms",
        lambda f: f["burst_added_p99_ms"] <= 150,
    ),
    Line(
        "g4",
        "bytes on the wire per 20-character token, compact, one slow stream of 200 tokens",
        "≤ 45",
        lambda f: (
            f"{f['compact_200']['text_bytes_per_token']:.1f} for the text, "
            f"{f['compact_200']['run_bytes_per_token']:.1f} with everything else of the run"
        ),
        lambda f: f["compact_200"]["run_bytes_per_token"] <= 45,
    ),
    Line(
        "g4",
        "growth: an answer of 2,000 tokens against one of 20",
        "≤ 1.02",
        lambda f: f"{f['compact_growth_2000_to_20']:.3f}",
        lambda f: f["compact_growth_2000_to_20"] <= 1.02,
    ),
    Line(
        "g5",
        "WAL per turn of 1,000 bytes, at turn 497",
        "≤ 2.5 × the payload",
        lambda f: f"{f['turn_497']['wal_bytes'] / 1000:.1f} kB: {f['wal_to_payload']:.1f} ×",
        lambda f: f["wal_to_payload"] <= 2.5,
    ),
    Line(
        "g5",
        "growth of WAL per turn, turn 497 against turn 5",
        "≤ 1.05",
        lambda f: f"{f['wal_growth']:.2f}",
        lambda f: f["wal_growth"] <= 1.05,
    ),
    Line(
        "g5",
        "growth of time per turn, turn 497 against turn 5",
        "≤ 1.15",
        lambda f: (
            f"{f['time_growth']:.2f} ({f['turn_5']['ms']:.1f} → {f['turn_497']['ms']:.1f} ms)"
        ),
        lambda f: f["time_growth"] <= 1.15,
    ),
    Line(
        "g5",
        "first turn after a restart at turn 500",
        "≤ 3 × turn 5",
        lambda f: (
            f"{f['after_restart_first_turn_ms']:.1f} ms: {f['after_restart_to_turn_5']:.1f} ×"
        ),
        lambda f: f["after_restart_to_turn_5"] <= 3,
    ),
    Line(
        "g6",
        "durable message and cost rows per second, 64 conversations",
        "≥ 25 % of COPY",
        lambda f: (
            f"{f['ours_rows_per_s']:,.0f}; COPY {f['copy_rows_per_s']:,.0f}: "
            f"{f['share_of_copy'] * 100:.0f} %"
        ),
        lambda f: f["share_of_copy"] >= 0.25,
    ),
    Line(
        "g6",
        "... against one ORM add and commit after the other",
        "≥ 100 ×",
        lambda f: f"{f['times_orm']:.0f} × ({f['orm_rows_per_s']:,.0f}/s)",
        lambda f: f["times_orm"] >= 100,
    ),
    Line(
        "g7",
        "memory of an idle websocket with its session, of 5,000",
        "≤ 32 KiB",
        lambda f: (
            f"{f['plain']['rss_kib_per_socket']:.1f} KiB; with a browser's deflate offer "
            f"{f['deflate_offered']['rss_kib_per_socket']:.1f}"
        ),
        lambda f: (
            f["plain"]["rss_kib_per_socket"] <= 32
            and f["deflate_offered"]["rss_kib_per_socket"] <= 40
        ),
    ),
    Line(
        "g7",
        "CPU to connect and sign in",
        "≤ 4 × picows without sign-in",
        lambda f: (
            f"{f['plain']['connect_us']:.0f} µs (server {f['plain']['connect_server_us']:.0f}); "
            f"picows {f['floor']['connect_us']:.0f}: {f['connect_to_floor']:.1f} ×"
        ),
        lambda f: f["connect_to_floor"] <= 4,
    ),
    Line(
        "g7",
        "CPU while 5,000 sockets wait",
        "≤ 0.5 % of a core",
        lambda f: f"{f['plain']['idle_cpu_percent']:.2f} %",
        lambda f: f["plain"]["idle_cpu_percent"] <= 0.5,
    ),
    Line(
        "g8",
        "ten indicators over 5,000 symbols of 2,500 bars, against the memory floor",
        "≤ 1.7 × writing the outputs",
        lambda f: (
            f"{f['ours_s']:.3f} s ({f['ns_per_value']:.2f} ns a value); floor "
            f"{f['floor_s']:.3f}: {f['ratio_to_floor']:.2f} ×"
        ),
        lambda f: f["ratio_to_floor"] <= 1.7,
    ),
    Line(
        "g8",
        "... against a loop over TA-Lib",
        "≥ 1.8 ×",
        lambda f: f"{f['times_talib']:.2f} × ({f['talib_s']:.3f} s)",
        lambda f: f["times_talib"] >= 1.8,
    ),
    Line(
        "g8",
        "... against polars-talib over groups",
        "≥ 30 ×",
        lambda f: (
            f"{f['times_polars_talib']:.1f} × ({f['polars_talib_s']:.2f} s)"
            if "times_polars_talib" in f
            else "not measured"
        ),
        lambda f: f.get("times_polars_talib", 0) >= 30,
    ),
    Line(
        "g8",
        "... largest error of any value against TA-Lib",
        "≤ 1e-8 of it",
        lambda f: f"{max(f['max_relative_error'].values()):.1e}",
        lambda f: max(f["max_relative_error"].values()) <= 1e-8,
    ),
    Line(
        "g9",
        "one new bar for all of 5,000 symbols, every field, against TA-Lib's stream functions",
        "≥ 1,000 × asking them for the last value",
        lambda f: (
            f"{f['all_symbols_us'] / 1000:.2f} ms ({f['ours_ns']:.0f} ns a symbol): "
            f"{f['times_one_shot']:,.0f} ×; {f['times_handles']:.0f} × its handles"
        ),
        lambda f: f["times_one_shot"] >= 1000,
    ),
    Line(
        "g9",
        "cost per symbol, 50,000 symbols against 500",
        "≤ 1.3",
        lambda f: f"{f['growth_50000_to_500']:.2f}",
        lambda f: f["growth_50000_to_500"] <= 1.3,
    ),
    Line(
        "g9",
        "cost per symbol after 25,000 bars against 2,500",
        "≤ 1.05",
        lambda f: f"{f['growth_25000_bars']:.3f}",
        lambda f: f["growth_25000_bars"] <= 1.05,
    ),
    Line(
        "g12",
        "command to first streamed token, empty data directory",
        "≤ 5 s",
        lambda f: f"{f['cold_s']:.2f} s (ready after {f['cold_ready_s']:.2f})",
        lambda f: f["cold_s"] <= 5,
    ),
    Line(
        "g12",
        "... with a used one",
        "≤ 2 s",
        lambda f: f"{f['warm_s']:.2f} s (ready after {f['warm_ready_s']:.2f})",
        lambda f: f["warm_s"] <= 2,
    ),
    Line(
        "g12",
        "size of the installed runtime set",
        "≤ 450 MB",
        lambda f: f"{f['install_mb']:.0f} MB" if "install_mb" in f else "not measured",
        lambda f: f.get("install_mb", 1e9) <= 450,
    ),
    Line(
        "ingest",
        "bars judged and stored per second, brought as columns",
        "≥ 25 % of COPY",
        lambda f: (
            f"{f['columns_rows_per_s']:,.0f}; COPY {f['copy_rows_per_s']:,.0f}: "
            f"{f['columns_share_of_copy'] * 100:.0f} %"
        ),
        lambda f: f["columns_share_of_copy"] >= 0.25,
    ),
    Line(
        "ingest",
        "... out of a CSV file, by everything `outcry import` does",
        "≥ 15 % of COPY",
        lambda f: f"{f['csv_rows_per_s']:,.0f}: {f['csv_share_of_copy'] * 100:.0f} %",
        lambda f: f["csv_share_of_copy"] >= 0.15,
    ),
    Line(
        "screen",
        "a screen by numbers over 5,000 symbols x 520 bars, from the call to the answer",
        "faster than one by one",
        lambda f: (
            f"{f['together_s']:.2f} s, {f['read_s']:.2f} s of it reading; one by one "
            f"{f['one_by_one_s']:.2f} s"
        ),
        lambda f: f["together_s"] < f["one_by_one_s"],
    ),
    Line(
        "live",
        "a bar from its POST to its frame, 50 watched, 5 bars a second: p50, p99",
        "p99 ≤ 1 s",
        lambda f: (
            f"{f['http']['at_5_bars_per_s']['frame_ms_p50']:,.0f} ms, "
            f"{f['http']['at_5_bars_per_s']['frame_ms_p99']:,.0f} ms"
        ),
        lambda f: f["http"]["at_5_bars_per_s"]["frame_ms_p99"] <= 1000,
    ),
    Line(
        "live",
        "memory a server takes more while 100,000 bars wait in a topic",
        "≤ 100 MiB",
        lambda f: (
            f"{f['topic']['rss_mib_peak'] - f['topic']['rss_mib_before']:,.0f} MiB, at "
            f"{f['topic']['bars_per_s']:,.0f} bars a second with signals on"
        ),
        lambda f: f["topic"]["rss_mib_peak"] - f["topic"]["rss_mib_before"] <= 100,
    ),
    Line(
        "predictions",
        "predictions of one small network over HTTP, 64 clients, against LitServe",
        "≥ 4 × (and 2 × TorchServe, 10 × Ray Serve)",
        lambda f: f"{f['ours']['clients_64_per_s']:,.0f}/s: {times(f)}",
        lambda f: all(
            peer.get("times_64_clients", 1e9) >= TIMES[name] for name, peer in f["peers"].items()
        ),
    ),
    Line(
        "predictions",
        "... time of one, one client: p50",
        "≤ 1/4 of LitServe",
        lambda f: f"{f['ours']['one_client_p50_ms']:.2f} ms; {alone(f)}",
        lambda f: p50_share(f) <= 0.25,
    ),
    Line(
        "predictions",
        "... answers of 64 clients at once equal to each row's own, to the bit",
        "all",
        lambda f: "all" if f["bit_equal"] else "not all",
        lambda f: f["bit_equal"],
    ),
    Line(
        "predictions",
        "a large batch through the engine, against the bare network at its best batch size",
        "≥ 80 %",
        lambda f: (
            f"{f['engine']['engine_rows_per_s']:,.0f} rows/s; bare "
            f"{f['engine']['bare_rows_per_s']:,.0f}: {f['engine']['share_of_bare'] * 100:.0f} %"
        ),
        lambda f: f["engine"]["share_of_bare"] >= 0.8,
    ),
]


def rows(results: Figures) -> list[tuple[str, str, str, str, str]]:
    """Return (goal, what, target, measured, verdict) of every goal that was measured."""
    found = []
    for line in LINES:
        figures = results["goals"].get(line.goal)
        if figures is not None:
            verdict = "yes" if line.met(figures) else "no"
            found.append((line.goal.upper(), line.what, line.target, line.figure(figures), verdict))
    return found


def table(results: Figures) -> str:
    """Return the table for a terminal."""
    return "\n".join(
        f"{goal:<4} {'met   ' if verdict == 'yes' else 'MISSED'} {what}: {measured} ({target})"
        for goal, what, target, measured, verdict in rows(results)
    )


def write_docs(results: Figures) -> None:
    """Replace the generated parts of `docs/performance.md`; the prose around them stays."""
    text = DOCS.read_text()
    for name, body in (("table", _markdown_table(results)), ("details", _details(results))):
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, rest = text.split(begin, 1)
        after = rest.split(end, 1)[1]
        text = f"{before}{begin}\n{body}\n{end}{after}"
    DOCS.write_text(text)


def _markdown_table(results: Figures) -> str:
    lines = ["| goal | what | target | measured | met |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(results)]
    return "\n".join(lines)


def _details(results: Figures) -> str:
    machine = results["machine"]
    lines = [
        f"Machine: {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}.",
        "",
        "| goal | commit | when (UTC) | load before | took |",
        "|---|---|---|---|---|",
    ]
    for name, figures in results["goals"].items():
        lines.append(
            f"| {name.upper()} | `{figures['commit']}` | {figures['measured_at'][:16]} | "
            f"{figures['load_average']} | {figures['seconds']} s |"
        )
    parts = (("G1", _g1), ("G4", _g4), ("G5", _g5), ("G8", _g8), ("G9", _g9))
    for title, part in parts:
        if title.lower() in results["goals"]:
            lines += ["", *part(results["goals"][title.lower()])]
    if "predictions" in results["goals"]:
        lines += ["", *details(results["goals"]["predictions"])]
    return "\n".join(lines)


def _g1(f: Figures) -> list[str]:
    return [
        "### G1 in detail",
        "",
        "| | µs per token | added latency p50 / p99 ms | bytes per token |",
        "|---|---|---|---|",
        f"| relay floor | {f['floor_us_per_token']:.1f} | {f['floor_latency_p50_ms']:.1f} / "
        f"{f['floor_latency_p99_ms']:.1f} | |",
        f"| Outcry, compact | {f['total_us_per_token']:.1f} | {f['added_latency_p50_ms']:.1f} / "
        f"{f['added_latency_p99_ms']:.1f} | {f['bytes_per_token']:.1f} |",
        f"| Outcry, plain | {f['plain_mode_total_us_per_token']:.1f} | | |",
        f"| relay floor, answers of 1,000 tokens | {f['long_floor_us_per_token']:.1f} | | |",
        f"| Outcry, answers of 1,000 tokens | "
        f"{f['long_server_us_per_token'] + f['long_postgres_us_per_token']:.1f} | | |",
        f"| Outcry, every token a number | {f['numbers_only_total_us_per_token']:.1f} | | |",
        "",
        f"The server alone is at {f['ratio_server_alone']:.2f} × the floor; the rest is Postgres. "
        f"{f['tokens_per_second']:,.0f} tokens a second, {f['frames_per_token']:.2f} frames per "
        "token.",
    ]


def _g4(f: Figures) -> list[str]:
    lines = [
        "### G4 in detail",
        "",
        "| mode | tokens | text, bytes per token | whole run, bytes per token |",
        "|---|---|---|---|",
    ]
    for mode in ("compact", "plain"):
        for tokens in (20, 200, 2000):
            part = f[f"{mode}_{tokens}"]
            lines.append(
                f"| {mode} | {tokens:,} | {part['text_bytes_per_token']:.1f} | "
                f"{part['run_bytes_per_token']:.1f} |"
            )
    lines.append(
        f"\nWith 100 streams at once, where more text gathers per commit: "
        f"{f['compact_at_100_streams_run_bytes_per_token']:.1f} bytes per token, whole run."
    )
    return lines


def _g5(f: Figures) -> list[str]:
    lines = [
        "### G5 in detail",
        "",
        "| | turn 5 | turn 50 | turn 200 | turn 497 |",
        "|---|---|---|---|---|",
    ]
    sides = {"Outcry": f, **{k.replace("_", ", "): v for k, v in f.get("peers", {}).items()}}
    for name, side in sides.items():
        marks = [side[f"turn_{mark}"] for mark in (5, 50, 200, 497)]
        cells = [f"{mark['ms']:.1f} ms, {mark['wal_bytes'] / 1024:,.1f} KiB" for mark in marks]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name, peer in f.get("peers", {}).items():
        lines.append(
            f"\nAt turn 497 Outcry writes 1/{1 / peer['wal_ratio']:,.0f} of the WAL of "
            f"{name.replace('_', ', ')} and takes 1/{1 / peer['time_ratio']:,.1f} of its time; the "
            f"peer's tables hold {peer['tables_mib']:,.0f} MiB."
        )
    tables = ", ".join(f"{name} {size:,} KiB" for name, size in f["largest_tables_kib"].items())
    lines.append(f"\nLargest tables after it: {tables}.")
    return lines


def _g8(f: Figures) -> list[str]:
    sides = {
        "memory floor: one input copied into ten outputs": "floor_s",
        "Outcry, fused": "ours_s",
        "TA-Lib, loop over symbols": "talib_s",
        "polars-talib, `.over(symbol)`": "polars_talib_s",
    }
    lines = ["### G8 in detail", "", "| | seconds | ns per value |", "|---|---|---|"]
    values = f["symbols"] * f["bars"] * 10
    lines += [
        f"| {name} | {f[key]:.3f} | {1e9 * f[key] / values:.2f} |"
        for name, key in sides.items()
        if key in f
    ]
    errors = ", ".join(f"{name} {error:.0e}" for name, error in f["max_relative_error"].items())
    return [
        *lines,
        "",
        f"Compiled code was there after {f['prepare_s']:.1f} s. Largest errors: {errors}.",
    ]


def _g9(f: Figures) -> list[str]:
    sides = {
        f"Outcry, {f['fields'] - 1} fields": "ours_ns",
        "TA-Lib's stream functions, asked for the last value after 2,500 bars": "one_shot_ns",
        "TA-Lib's handles, one `update` each": "handles_ns",
        "Outcry, 500 symbols": "at_500_ns",
        "Outcry, 50,000 symbols": "at_50000_ns",
        "Outcry, 500 symbols after 2,500 bars": "history_2500_ns",
        "Outcry, 500 symbols after 25,000 bars": "history_25000_ns",
    }
    return [
        "### G9 in detail",
        "",
        "| one new bar | ns per symbol |",
        "|---|---|",
        *[f"| {name} | {f[key]:,.0f} |" for name, key in sides.items()],
        "",
        f"Reading all {f['fields']} fields of all symbols, the composite strength with them, takes "
        f"another {f['read_all_fields_ms']:.1f} ms.",
    ]
