"""Bars that come by themselves."""

from pathlib import Path

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with


@click.command()
@data_dir_option
def ingest(data_dir: Path | None) -> None:
    """Read bars and trades from Kafka topics until told to stop.

    Needs KAFKA_BOOTSTRAP_SERVERS. Positions are kept in Postgres with the rows, so a restart,
    however it came about, goes on where the rows end: nothing is lost and nothing doubled. Several
    processes share the partitions. A server reads the topics by itself unless OUTCRY_INGEST=0.
    """
    from app.terminal.ingest import ingest as read_topics  # noqa: PLC0415

    run(read_topics(settings_with(data_dir=data_dir)))
