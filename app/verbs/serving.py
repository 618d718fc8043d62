"""An LLM of one's own beside the desk."""

import os
from pathlib import Path

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with


@click.command("serve-llm", context_settings={"ignore_unknown_options": False})
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="Others need VLLM_API_KEY.")
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True)
@click.option("--name", help="What clients call it. [default: the last part of MODEL]")
@click.option("--context", type=click.IntRange(128), help="Tokens. [default: what fits]")
@click.option("--gpus", type=click.IntRange(1), help="Spread the model over so many. [default: 1]")
@click.option("--embeddings", is_flag=True, help="Serve embeddings of texts instead of a chat.")
@click.option("--vllm", help="The vllm command, if it is in another environment.")
@click.option("--patience", type=click.IntRange(10), default=1800, help="Seconds. [default: 1800]")
@click.option("--dry-run", is_flag=True, help="Only print what would be run.")
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
@data_dir_option
def serve_llm(
    model: str,
    host: str,
    port: int,
    name: str | None,
    context: int | None,
    gpus: int | None,
    embeddings: bool,
    vllm: str | None,
    patience: int,
    dry_run: bool,
    extra: tuple[str, ...],
    data_dir: Path | None,
) -> None:
    """Serve MODEL (a folder, or a name on a hub) by vLLM, with the flags its family needs.

    outcry serve-llm Qwen/Qwen3-8B, then VLLM_BASE_URL=http://127.0.0.1:8001/v1 make run

    What follows a -- is handed to vLLM as it is: outcry serve-llm MODEL -- --seed 1
    """
    from app.terminal.serve_llm import serve_llm as serve  # noqa: PLC0415
    from inference.llm_server.command import ServeWishes  # noqa: PLC0415

    wishes = ServeWishes(
        host=host,
        port=port,
        served_name=name,
        context=context,
        embeddings=embeddings,
        gpus=gpus,
        has_key=bool(os.environ.get("VLLM_API_KEY")),
        extra=extra,
    )
    settings = settings_with(data_dir=data_dir)
    run(serve(settings, model, wishes, vllm=vllm, patience_s=patience, dry_run=dry_run))
