"""A model's card in the terminal: what it forecasts, how well, beside what, and whether it serves.

Every number is the stored evaluation's; the words only say what it means.
"""

from collections.abc import Iterator

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.domain.training import TrainingRecord
from app.services.models.model_speed import Speed
from app.services.training.training_records import record_of
from inference.cards import BaselineScore, Evaluation, ModelCard
from inference.training.parallel.place import Place
from inference.training.recipes.tabular import TABULAR

_MOST_NOTES = 12
_STATUS = {"deployed": "green", "ready": "cyan", "failed": "red", "deprecated": "dim"}


def print_card(console: Console, card: ModelCard) -> None:
    """Print a card."""
    console.print(card_of(card))


def card_of(card: ModelCard) -> RenderableType:
    """Return a card, ready to be printed."""
    parts: list[RenderableType] = [_head(card)]
    record, evaluation = record_of(card), card.evaluation()
    of = "moment" if card.task == TABULAR.task else "bar"
    if record is not None:
        parts.append(Padding(_origin(card, record), (0, 0, 0, 2)))
    if card.failure:
        parts.append(Padding(Text(card.failure, "red"), (1, 0, 0, 2)))
    if evaluation is None:
        if not card.failure:
            parts.append(Padding(Text("It was not evaluated yet."), (1, 0, 0, 2)))
    else:
        parts += [Padding(part, (1, 0, 0, 2)) for part in _evaluated(evaluation, of)]
    if (speed := _speed(card)) is not None:
        parts.append(Padding(Text(speed, "dim"), (1, 0, 0, 2)))
    notes = [*(evaluation.notes if evaluation else ()), *card.validation_metrics.get("notes", ())]
    if notes:
        shown = dict.fromkeys(str(note) for note in notes)
        lines = [Text(f"· {note}", "dim") for note in list(shown)[:_MOST_NOTES]]
        parts.append(Padding(Group(*lines), (1, 0, 0, 2)))
    return Group(*parts)


def _head(card: ModelCard) -> Text:
    aliases = f" ({', '.join(card.aliases)})" if card.aliases else ""
    return Text.assemble(
        (f"{card.name}@{card.version}", "bold"),
        "  ",
        (f"{card.status}{aliases}", _STATUS.get(card.status, "")),
        (f"  {card.type}, {card.framework}", "dim"),
    )


def _origin(card: ModelCard, record: TrainingRecord) -> Text:
    trained = f"{card.trained_at:%Y-%m-%d}" if card.trained_at else "?"
    return Text(
        f"trained {trained} on {record.dataset}: {_what(record)}, known by "
        f"{record.as_of:%Y-%m-%d}; {record.seconds:.1f} s, {record.backend}{_workers(card)}",
        "dim",
    )


def _workers(card: ModelCard) -> str:
    """Return by how many workers and on what torch trained it; nothing where it did not."""
    told = card.validation_metrics.get("computedWith")
    return "" if told is None else f", {msgspec.convert(told, Place).in_words()}"


def _speed(card: ModelCard) -> str | None:
    """Say how fast it answers here, or why nobody knows."""
    stored = card.validation_metrics.get("speed")
    if stored is None:
        return None
    if "reason" in stored:
        return f"not timed: {stored['reason']}"
    speed = msgspec.convert(stored, Speed)
    rows = "row" if speed.batch_rows == 1 else "rows"
    return (
        f"{speed.latency_ms:.2g} ms a call (95 % within {speed.latency_p95_ms:.2g}), "
        f"{speed.throughput:,.0f} rows a second at {speed.batch_rows:,} {rows} a call; "
        f"{speed.machine}, {speed.measured_at:%Y-%m-%d}"
    )


def _what(record: TrainingRecord) -> str:
    if "target" in record.options:
        return f"{record.rows:,} rows, {record.options['target']!r} to be foretold"
    if not record.symbols:
        return f"{record.rows:,} labelled texts"
    count = len(record.symbols)
    return f"{record.rows:,} bars of {count} instrument{'' if count == 1 else 's'}"


def _evaluated(evaluation: Evaluation, of: str) -> Iterator[RenderableType]:
    refits = f"{evaluation.n_refits} refit{'' if evaluation.n_refits == 1 else 's'}"
    many = "" if evaluation.purge_bars == 1 else "s"
    how = (
        f"{evaluation.first:%Y-%m-%d} to {evaluation.last:%Y-%m-%d}; walk-forward, {refits}, "
        f"{evaluation.purge_bars} {of}{many} purged"
    )
    if evaluation.first == evaluation.last:
        how = f"without a time; in folds, {refits}"
    yield Text(f"{evaluation.metric} {evaluation.loss:.4g} over {evaluation.n:,} forecasts, {how}")
    if evaluation.baselines:
        yield _baselines(evaluation)
        yield _verdict(evaluation)
    rows = Table.grid(padding=(0, 2))
    for name, said in _details(evaluation):
        rows.add_row(Text(name, "bold"), said)
    if rows.row_count:
        yield rows


def _baselines(evaluation: Evaluation) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("against")
    for name in (evaluation.metric, "skill", "95 % interval", "DM t"):
        table.add_column(name, justify="right")
    least = evaluation.least_sure()
    for one in sorted(evaluation.baselines, key=lambda one: one.skill):
        table.add_row(
            Text(one.name, "bold" if one is least else ""),
            f"{one.loss:.4g}",
            _signed(one),
            f"{one.skill_low:+.1%} … {one.skill_high:+.1%}",
            "" if one.dm_t is None else f"{one.dm_t:+.1f}",
        )
    return table


def _signed(one: BaselineScore) -> Text:
    style = "green" if one.skill_low > 0 else "red" if one.skill_high < 0 else ""
    return Text(f"{one.skill:+.1%}", style)


def _verdict(evaluation: Evaluation) -> Text:
    least = evaluation.least_sure()
    if evaluation.has_skill:
        return Text(f"Skill above zero against every baseline, least surely {least.name}.", "green")
    if least.skill_high < 0:
        return Text(f"Worse than {least.name}: use that instead.", "red")
    return Text(f"No usable skill: against {least.name} the interval includes zero.", "yellow")


def _details(evaluation: Evaluation) -> Iterator[tuple[str, RenderableType]]:
    if evaluation.coverage:
        yield (
            "coverage",
            Text(
                "   ".join(
                    f"{float(level):.0%} interval held {share:.1%}"
                    for level, share in sorted(evaluation.coverage.items())
                )
            ),
        )
    if evaluation.calibration_error is not None:
        off = f"off by {evaluation.calibration_error:.3f} on average (ECE)"
        if evaluation.debiased_calibration_error is not None:
            off += f", by {evaluation.debiased_calibration_error:.3f} without what luck makes of it"
        yield "calibration", Text(off)
    if evaluation.by_year:
        yield "skill by year", _years(evaluation.by_year)
    if len(evaluation.by_symbol) > 1:
        ordered = sorted(evaluation.by_symbol.items(), key=lambda one: -one[1])
        if len(ordered) > 12:
            ordered = [*ordered[:6], *ordered[-6:]]
        yield "by symbol", Text("  ".join(f"{name} {skill:+.1%}" for name, skill in ordered))
    if evaluation.other:
        yield (
            "also",
            Text("  ".join(f"{name} {value:.4g}" for name, value in evaluation.other.items())),
        )


def _years(by_year: dict[str, float]) -> Text:
    text = Text()
    for year, skill in sorted(by_year.items()):
        if len(text):
            text.append("  ")
        text.append(f"{year} ")
        text.append(f"{skill:+.1%}", "green" if skill > 0 else "red")
    return text
