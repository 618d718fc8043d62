"""`outcry serve-llm`: run vLLM, show how it comes up and how busy it is, and end it again."""

import asyncio
from shlex import join

from rich.console import Console
from rich.text import Text

from app.settings import Settings
from app.terminal.llm_process import LLMProcess
from app.terminal.stopping import told_to_stop
from inference.llm_server.command import Command, ServeWishes, build
from inference.llm_server.here import find_vllm, look_at_machine, look_at_model

_SHOW_S = 10.0


async def serve_llm(
    settings: Settings,
    model: str,
    wishes: ServeWishes,
    *,
    vllm: str | None,
    patience_s: float,
    dry_run: bool,
) -> None:
    """Serve a model until told to stop.

    Raises:
        InferenceError: it cannot be served here, or vLLM went away.
    """
    out = Console(highlight=False)
    server = vllm or "vllm" if dry_run else find_vllm(vllm)
    command = build(server, look_at_model(model), look_at_machine(), wishes)
    for note in command.notes:
        out.print(Text(note, style="yellow"), soft_wrap=True)
    if dry_run:
        given = " ".join(f"{name}={value}" for name, value in command.environment.items())
        out.print(Text(f"{given} {join(command.argv)}"), soft_wrap=True)
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(wishes.host, wishes.host)
    process = LLMProcess(
        command,
        address=f"http://{host}:{wishes.port}",
        log=settings.data_dir / "logs" / f"vllm-{wishes.port}.log",
    )
    with told_to_stop() as told:
        async with process:
            work = asyncio.ensure_future(
                _serve(out, process, command, patience_s, embeddings=wishes.embeddings)
            )
            stop = asyncio.ensure_future(told.wait())
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            for task in (work, stop):
                task.cancel()
            await asyncio.wait({work, stop})
            if not work.cancelled():
                work.result()


async def _serve(
    out: Console, process: LLMProcess, command: Command, patience_s: float, *, embeddings: bool
) -> None:
    with out.status(f"Loading {command.served_name} …") as status:

        def seen(said: str) -> None:
            status.update(Text(f"Loading {command.served_name}: {said}"))

        await process.ready(patience_s=patience_s, seen=seen)
    _announce(out, process, command, embeddings=embeddings)
    loop = asyncio.get_running_loop()
    generated, at = 0.0, loop.time()
    while True:
        load = await process.load(after_s=_SHOW_S)
        if load is None:
            continue
        now = loop.time()
        if load.running or load.generated > generated:
            out.print(
                f"{load.running:.0f} running, {load.waiting:.0f} waiting, "
                f"{(load.generated - generated) / (now - at):.0f} tokens/s, "
                f"cache {100 * load.cache:.0f} % full",
                style="dim",
            )
        generated, at = load.generated, now


def _announce(out: Console, process: LLMProcess, command: Command, *, embeddings: bool) -> None:
    address, what = process.address, "embeddings of " if embeddings else ""
    lines = [f"\nServing {what}[bold]{command.served_name}[/bold] on {address}/v1"]
    if not embeddings:
        lines.append(f"Let the desk think with it:  VLLM_BASE_URL={address}/v1 make run")
        if command.family is not None:
            lines.append(f"[dim]Tool calls are read as those of {command.family.name}.[/dim]")
    seen = f"Health {address}/health, metrics {address}/metrics, log {process.log}"
    lines += [f"[dim]{seen}[/dim]", "[dim]Ctrl-C stops it.[/dim]"]
    out.print("\n".join(lines), soft_wrap=True)
