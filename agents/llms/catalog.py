"""Which LLM an agent thinks with: chosen from the environment, or by the agent's own configuration.

The choice is never silent: it has a label that is printed at start and shown in the client, and a
provider an agent asks for by name is used or refused, never replaced.
"""

from urllib.parse import urlsplit

import msgspec

from agents.errors import LLMNotFound, LLMUnauthorized
from agents.llms.anthropic import ANTHROPIC_URL, AnthropicLLM
from agents.llms.builtin.model import MODEL as BUILTIN_MODEL
from agents.llms.deadlines import StreamTimeouts
from agents.llms.llm import LLM
from agents.llms.openai import OPENAI_URL, OpenAILLM

OPENAI_MODEL = "gpt-5.4-mini"
ANTHROPIC_MODEL = "claude-haiku-4-5"


class LLMEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says about LLMs; read by `app/settings.py`."""

    vllm_base_url: str | None = None
    """`VLLM_BASE_URL`."""
    vllm_api_key: str | None = None
    """`VLLM_API_KEY`; a server on this machine needs none."""
    openai_api_key: str | None = None
    """`OPENAI_API_KEY`."""
    openai_base_url: str | None = None
    """`OPENAI_BASE_URL`; may be set without a key for servers that ask for none."""
    anthropic_api_key: str | None = None
    """`ANTHROPIC_API_KEY`."""
    anthropic_base_url: str | None = None
    """`ANTHROPIC_BASE_URL`."""
    model: str | None = None
    """`OUTCRY_MODEL`."""

    def __repr__(self) -> str:
        """Name what is set, without any value: keys stay out of logs."""
        given = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"LLMEnvironment(set: {', '.join(given) or 'nothing'})"


class Selection(msgspec.Struct, frozen=True):
    """An LLM, the model to ask it for, and how to call both before people."""

    llm: LLM
    model: str
    label: str
    """ "built-in, keyless", "OpenAI gpt-5.4-mini", "my-model at 10.0.0.5:8000"."""
    free: bool
    """It costs nothing at all: the built-in model only. What one hosts oneself has no bill either,
    but what it costs is not known (`app/services/conversations/pricing.py` decides the same)."""

    @property
    def provider(self) -> str:
        """The name in `LLMProvider`."""
        return self.llm.provider


class Catalog:
    """Every LLM the environment allows, each made once."""

    def __init__(
        self,
        environment: LLMEnvironment,
        *,
        builtin: LLM,
        timeouts: StreamTimeouts | None = None,
    ) -> None:
        self._environment = environment
        self._builtin = builtin
        self._timeouts = timeouts
        self._llms: dict[str, LLM] = {"builtin": builtin}
        self._served: str | None = None

    @property
    def provider(self) -> str:
        """The provider of agents that name none."""
        given = self._environment
        if given.vllm_base_url:
            return "huggingface"
        if given.openai_api_key or given.openai_base_url:
            return "openai"
        if given.anthropic_api_key:
            return "anthropic"
        return "builtin"

    @property
    def redirected(self) -> frozenset[str]:
        """The providers that are not asked at their vendor's address, so that its published
        prices do not apply, whatever the model is called."""
        given = self._environment
        addresses = {
            "openai": (given.openai_base_url, OPENAI_URL),
            "anthropic": (given.anthropic_base_url, ANTHROPIC_URL),
        }
        own = {
            provider
            for provider, (used, vendors) in addresses.items()
            if used and not _same_vendor(used, vendors)
        }
        return frozenset(own | {"huggingface"})

    async def prepare(self) -> None:
        """Ask an own server what it serves, where nobody said which model to use.

        Raises:
            LLMError: it cannot be asked, or serves nothing; `OUTCRY_MODEL` makes this needless.
        """
        if self._served is None and self._asks_server():
            llm = self._llm(self.provider)
            if isinstance(llm, OpenAILLM):
                models = await llm.models()
                if not models:
                    raise LLMNotFound(f"{self._own_url()} serves no model.")
                self._served = models[0]

    def select(self, provider: str | None = None, model: str | None = None) -> Selection:
        """Return what an agent configured with `provider` and `model` thinks with.

        Raises:
            LLMUnauthorized: the provider's key or address is not set.
            LLMNotFound: there is no such provider here, or no model is known for it.
        """
        chosen = provider or self.provider
        llm = self._llm(chosen)
        if chosen == "builtin":
            return Selection(llm, BUILTIN_MODEL, "built-in, keyless", free=True)
        named = model or self._default_model(chosen)
        if not named:
            raise LLMNotFound(
                f"Which model should {self._own_url()} be asked for? Set OUTCRY_MODEL, or start "
                "its server first."
            )
        return Selection(llm, named, self._label(chosen, named), free=False)

    async def aclose(self) -> None:
        """Close every connection of every LLM."""
        for llm in self._llms.values():
            await llm.aclose()

    def _llm(self, provider: str) -> LLM:
        if provider not in self._llms:
            self._llms[provider] = self._make(provider)
        return self._llms[provider]

    def _make(self, provider: str) -> LLM:
        given = self._environment
        match provider:
            case "huggingface":
                if not given.vllm_base_url:
                    raise LLMUnauthorized("This agent needs a vLLM server: set VLLM_BASE_URL.")
                return OpenAILLM(
                    provider="huggingface",
                    base_url=_with_version(given.vllm_base_url),
                    api_key=given.vllm_api_key or "",
                    label="vLLM",
                    timeouts=self._timeouts,
                )
            case "openai":
                if not (given.openai_api_key or given.openai_base_url):
                    raise LLMUnauthorized("This agent needs OpenAI: set OPENAI_API_KEY.")
                own = given.openai_base_url
                return OpenAILLM(
                    base_url=own or OPENAI_URL,
                    api_key=given.openai_api_key or "",
                    label=_host(own) if own else "OpenAI",
                    timeouts=self._timeouts,
                )
            case "anthropic":
                if not given.anthropic_api_key:
                    raise LLMUnauthorized("This agent needs Anthropic: set ANTHROPIC_API_KEY.")
                return AnthropicLLM(
                    base_url=given.anthropic_base_url or ANTHROPIC_URL,
                    api_key=given.anthropic_api_key,
                    timeouts=self._timeouts,
                )
        raise LLMNotFound(f"There is no provider called {provider!r} here.")

    def _default_model(self, provider: str) -> str | None:
        given = self._environment
        if given.model and provider == self.provider:
            return given.model
        match provider:
            case "openai":
                return self._served if given.openai_base_url else OPENAI_MODEL
            case "anthropic":
                return ANTHROPIC_MODEL
            case _:
                return self._served

    def _asks_server(self) -> bool:
        return not self._environment.model and bool(self._own_url())

    def _own_url(self) -> str | None:
        match self.provider:
            case "huggingface":
                return self._environment.vllm_base_url
            case "openai":
                return self._environment.openai_base_url
            case _:
                return None

    def _label(self, provider: str, model: str) -> str:
        match provider:
            case "openai" if self._environment.openai_base_url:
                return f"{model} at {_host(self._environment.openai_base_url)}"
            case "openai":
                return f"OpenAI {model}"
            case "anthropic":
                return f"Anthropic {model}"
            case _:
                return f"{model} at {_host(self._environment.vllm_base_url or '')}"


def _host(url: str) -> str:
    """Return who is meant by an address, without anything secret that it may carry."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or url


def _same_vendor(url: str, vendors: str) -> bool:
    """Tell whether an address is the vendor's, regional ones such as eu.api.openai.com included."""
    host, home = urlsplit(url).hostname or "", urlsplit(vendors).hostname or ""
    return host == home or host.endswith(f".{home}")


def _with_version(url: str) -> str:
    """Return the address of a vLLM server's API; people give it with and without `/v1`."""
    url = url.rstrip("/")
    return url if urlsplit(url).path else f"{url}/v1"
