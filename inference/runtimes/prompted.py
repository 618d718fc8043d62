"""A model that is a prompt: what every wire format does with its rows alike."""

from abc import ABC, abstractmethod
from typing import Any

from inference.bundle import Member
from inference.errors import BadInput, InferenceError
from inference.requests import Rows
from inference.runtimes.llm_answers import LlmOptions, outputs_of, prompts
from inference.runtimes.llm_http import Caller, map_all
from inference.runtimes.runtime import Outputs
from inference.usage import Told, Usage

SIZE_BYTES = 64 * 1024


class PromptedModel(ABC):
    """One prompt for one model; a wire format says what is posted and how it is read."""

    path: str

    def __init__(self, member: Member, options: LlmOptions, caller: Caller) -> None:
        self._member = member
        self._options = options
        self._caller = caller

    @property
    def size_bytes(self) -> int:
        """Next to nothing: it runs elsewhere."""
        return SIZE_BYTES

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Ask about each row."""
        if not len(rows):
            raise BadInput("there are no rows")
        bodies = [self._body(prompt) for prompt in prompts(rows, self._member, self._options)]
        found = self._caller.post_all(self.path, bodies, timeout_s=self._options.timeout_s)
        name = self._member.name
        usage = Usage.of(
            self._options.connection or self._member.runtime,
            self._options.model,
            map_all(self._usage, found, model=name),
        )
        try:
            answers = map_all(self._read, found, model=name)
        except InferenceError as error:
            error.usage = (usage,)
            raise
        return outputs_of(answers, usage)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    @abstractmethod
    def _body(self, prompt: str) -> dict[str, Any]:
        """Return what is posted for one prompt."""

    @abstractmethod
    def _read(self, answer: Any) -> tuple[list[float], str | None]:
        """Return the fields of one answer."""

    @staticmethod
    @abstractmethod
    def _usage(answer: Any) -> Told | None:
        """Return the tokens that one answer says it took."""
