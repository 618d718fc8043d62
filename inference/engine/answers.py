"""Join the rows of several calls into one batch, and part the batch's answers again."""

from collections.abc import Sequence

import numpy as np

from inference.requests import Answers, Floats, Rows
from inference.usage import joined, parts_of


def join_rows(calls: Sequence[Rows]) -> Rows:
    """Return the rows of all calls below each other; they have the same columns."""
    first = calls[0]
    if len(calls) == 1:
        return first
    numbers = np.concatenate([call.numbers for call in calls])
    texts = {
        name: tuple(text for call in calls for text in call.texts[name]) for name in first.texts
    }
    return Rows(first.names, numbers, texts)


def part_answers(answers: Answers, sizes: Sequence[int]) -> list[Answers]:
    """Return each call's own answers; `sizes` are the calls' numbers of rows."""
    if len(sizes) == 1:
        return [answers]
    parts, start = [], 0
    for size in sizes:
        parts.append(_slice(answers, start, start + size))
        start += size
    return parts


def join_answers(parts: Sequence[Answers]) -> Answers:
    """Return the answers of several parts of one call below each other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    values: Floats | tuple[str, ...]
    if isinstance(first.values, tuple):
        values = tuple(text for part in parts for text in part.values)
    else:
        values = np.concatenate([part.values for part in parts])
    return Answers(
        values,
        quantiles=_together([part.quantiles for part in parts]),
        levels=first.levels,
        probabilities=_together([part.probabilities for part in parts]),
        classes=first.classes,
        low=_together([part.low for part in parts]),
        high=_together([part.high for part in parts]),
        interval_level=first.interval_level,
        contributions=_together([part.contributions for part in parts]),
        contribution_names=first.contribution_names,
        paths=_together([part.paths for part in parts]),
        usage=joined([part.usage for part in parts]),
    )


def _together(parts: Sequence[Floats | None]) -> Floats | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None


def _slice(answers: Answers, start: int, stop: int) -> Answers:
    def cut(array: Floats | None) -> Floats | None:
        return None if array is None else array[start:stop]

    return Answers(
        answers.values[start:stop],
        quantiles=cut(answers.quantiles),
        levels=answers.levels,
        probabilities=cut(answers.probabilities),
        classes=answers.classes,
        low=cut(answers.low),
        high=cut(answers.high),
        interval_level=answers.interval_level,
        contributions=cut(answers.contributions),
        contribution_names=answers.contribution_names,
        paths=cut(answers.paths),
        usage=parts_of(answers.usage, start, stop),
    )
