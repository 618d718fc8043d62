"""A verified folder becomes a model that answers rows: check, prepare, run, join, head.

What one row is answered never depends on the rows beside it, so callers can share a batch. Runs
wherever it is called: in the worker process, in a thread, in a test.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from inference.bundle import BUNDLE_FILE, Bundle, Member, read_bundle
from inference.datasets.steps import Apply, make_steps, select
from inference.engine.answers import join_answers
from inference.engine.heads import answer_of, check_head, finite
from inference.engine.inputs import InputCheck
from inference.errors import BadModel, InferenceError, ModelFailed
from inference.requests import Answers, Floats, Rows
from inference.runtimes.runtime import Loaded, Outputs, Runtime
from inference.usage import Usage

RuntimeFor = Callable[[str], Runtime]
"""Name of a runtime -> the runtime; `inference.runtimes.catalog.runtime_for`."""

DISTANT = frozenset({"openai", "anthropic", "remote"})
"""Runtimes that wait for somebody else's computer instead of using this one."""

_OVERHEAD_BYTES = 64 * 1024


def open_bundle(folder: Path) -> Bundle:
    """Return the bundle of a folder.

    Raises:
        BadModel: there is none, or it contradicts itself.
    """
    try:
        bundle = read_bundle((folder / BUNDLE_FILE).read_bytes())
    except OSError as error:
        raise BadModel(f"{BUNDLE_FILE} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadModel(f"{BUNDLE_FILE} is no bundle: {error}") from None
    if not bundle.members:
        raise BadModel("the bundle has no members")
    if bundle.combine == "single" and len(bundle.members) != 1:
        raise BadModel(f"combine is 'single', but there are {len(bundle.members)} members")
    weights = [member.weight for member in bundle.members]
    if not np.isfinite(weights).all() or min(weights) < 0.0 or sum(weights) <= 0.0:
        raise BadModel(f"the weights of the members are {weights}; they must not be negative")
    if bundle.max_batch < 1:
        raise BadModel(f"maxBatch is {bundle.max_batch}; it must be 1 or more")
    check_head(bundle.head)
    return bundle


def is_distant(bundle: Bundle) -> bool:
    """Tell whether the model only waits for another computer."""
    return all(member.runtime in DISTANT for member in bundle.members)


class LoadedModel:
    """One model, ready to answer. It is called by one thread at a time."""

    def __init__(self, bundle: Bundle, members: Sequence[Loaded]) -> None:
        self.bundle = bundle
        self._members = tuple(members)
        self._check = InputCheck(bundle)
        self._prepare: Apply = make_steps(bundle.steps)
        weights = np.array([member.weight for member in bundle.members], dtype=np.float64)
        self._weights = weights / weights.sum()

    @classmethod
    def load(cls, folder: Path, *, runtime_for: RuntimeFor, device: str = "cpu") -> "LoadedModel":
        """Return the model of a verified folder.

        Raises:
            BadModel: the bundle or a member's files are wrong.
            MissingFramework: what runs a member is not installed.
        """
        bundle = open_bundle(folder)
        members: list[Loaded] = []
        try:
            for member in bundle.members:
                runtime = runtime_for(member.runtime)
                members.append(runtime.load(folder, member, device=device))
            return cls(bundle, members)
        except BaseException:
            for loaded in members:
                loaded.close()
            raise

    @property
    def size_bytes(self) -> int:
        """About how much memory it holds."""
        return _OVERHEAD_BYTES + sum(member.size_bytes for member in self._members)

    def close(self) -> None:
        """Give back what the members hold."""
        for member in self._members:
            member.close()

    def warm_up(self) -> None:
        """Answer one row of nothing, so that the first caller does not pay for the first run.

        A model that asks another computer is left alone: that could cost money.
        """
        if is_distant(self.bundle):
            return
        # Nothing is not what it was made for; it may say so.
        with suppress(InferenceError):
            self.answer(self._check.blank())

    def answer(self, rows: Rows, *, explain: bool = False) -> Answers:
        """Return one answer per row; with `explain`, contributions too where they are exact.

        Raises:
            BadInput: the rows do not fit; says which column and what is allowed.
            ModelFailed: the model answered nonsense.
            NotAnswered: another computer could not answer.
        """
        checked = self._check(rows)
        most = self.bundle.max_batch
        if len(checked) <= most:
            return self._answer(checked, explain=explain)
        made: list[Answers] = []
        try:
            for start in range(0, len(checked), most):
                one = self._answer(part(checked, start, start + most), explain=explain)
                made.append(one)
        except InferenceError as error:
            error.usage = (*(used for one in made for used in one.usage), *error.usage)
            raise
        return join_answers(made)

    def _answer(self, rows: Rows, *, explain: bool) -> Answers:
        prepared = self._prepare(rows)
        outputs: list[Outputs] = []
        try:
            for member, loaded in zip(self.bundle.members, self._members, strict=True):
                outputs.append(_run(loaded, member, prepared, explain=explain))
            answers = answer_of(self.bundle, self._join(outputs, len(rows)), len(rows))
            if len(answers) != len(rows):
                raise ModelFailed(f"the model gave {len(answers)} answers for {len(rows)} rows")
            if explain:
                answers = self._explained(answers, outputs, len(rows))
        except InferenceError as error:
            error.usage = (*_used(outputs), *error.usage)
            raise
        return replace(answers, usage=used) if (used := _used(outputs)) else answers

    def _join(self, outputs: Sequence[Outputs], rows: int) -> Outputs:
        if self.bundle.combine == "single":
            return outputs[0]
        columns = [finite(output.columns, rows) for output in outputs]
        if len({one.shape for one in columns}) != 1:
            raise ModelFailed(f"the members gave shapes {[one.shape for one in columns]}")
        if self.bundle.combine == "mean":
            return Outputs(_weighted(columns, self._weights))
        if any((one <= 0.0).any() for one in columns):
            raise ModelFailed("a geometric mean needs outputs above 0")
        return Outputs(np.exp(_weighted([np.log(one) for one in columns], self._weights)))

    def _explained(self, answers: Answers, outputs: Sequence[Outputs], rows: int) -> Answers:
        """Add contributions: of one member as they are, of a mean the weighted mean of all."""
        given = [output for output in outputs if output.contributions is not None]
        if len(given) != len(outputs) or self.bundle.combine == "geometric_mean":
            return answers
        names = tuple(dict.fromkeys(n for one in given for n in one.contribution_names))
        total = np.zeros((rows, len(names)))
        for output, weight in zip(given, self._weights, strict=True):
            columns = finite(output.contributions, rows, what="contributions")
            for index, name in enumerate(output.contribution_names):
                total[:, names.index(name)] += weight * columns[:, index]
        return replace(answers, contributions=total, contribution_names=names)


def part(rows: Rows, start: int, stop: int) -> Rows:
    """Return the rows from `start` up to `stop`."""
    texts = {name: column[start:stop] for name, column in rows.texts.items()}
    return Rows(rows.names, rows.numbers[start:stop], texts)


def _used(outputs: Sequence[Outputs]) -> tuple[Usage, ...]:
    return tuple(one.usage for one in outputs if one.usage is not None)


def _run(loaded: Loaded, member: Member, rows: Rows, *, explain: bool) -> Outputs:
    mine = rows if member.columns is None else select(rows, member.columns)
    try:
        # What overflows is caught by `finite`, with a sentence that says so.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return loaded.run(mine, explain=explain)
    except InferenceError:
        raise
    except MemoryError:
        raise ModelFailed(
            "there is not enough memory for this model; OUTCRY_ENGINE_MEMORY_MIB sets how much "
            "the engine may use"
        ) from None
    except Exception as error:  # a framework's own: it must not take the batch's neighbours along
        raise ModelFailed(f"{member.name} failed: {type(error).__name__}: {error}") from error


def _weighted(columns: Sequence[Floats], weights: Floats) -> Floats:
    total: Floats = columns[0] * weights[0]
    for one, weight in zip(columns[1:], weights[1:], strict=True):
        total = total + one * weight
    return total
