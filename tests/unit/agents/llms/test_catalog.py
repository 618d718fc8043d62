"""Which LLM is chosen, and what it is called."""

import pytest

from agents.errors import LLMNotFound, LLMUnauthorized
from agents.llms.anthropic import AnthropicLLM
from agents.llms.catalog import Catalog, LLMEnvironment
from agents.llms.openai import OpenAILLM
from agents.llms.scripted import ScriptedLLM
from tests.fakes.llm_servers import FakeLLMServer

BUILTIN = ScriptedLLM([], provider="builtin")


def catalog(**environment: str) -> Catalog:
    return Catalog(LLMEnvironment(**environment), builtin=BUILTIN)


def test_without_anything_the_builtin_model_answers() -> None:
    chosen = catalog().select()
    assert (chosen.provider, chosen.label, chosen.free) == ("builtin", "built-in, keyless", True)
    assert chosen.llm is BUILTIN


@pytest.mark.parametrize(
    ("environment", "provider", "label", "free"),
    [
        ({"openai_api_key": "k"}, "openai", "OpenAI gpt-5.4-mini", False),
        ({"openai_api_key": "k", "model": "gpt-6"}, "openai", "OpenAI gpt-6", False),
        (
            {"openai_api_key": "k", "openai_base_url": "https://u:p@llm.example/v1", "model": "x"},
            "openai",
            "x at llm.example",
            False,
        ),
        ({"anthropic_api_key": "k"}, "anthropic", "Anthropic claude-haiku-4-5", False),
        (
            {"openai_api_key": "k", "anthropic_api_key": "k"},
            "openai",
            "OpenAI gpt-5.4-mini",
            False,
        ),
        (
            {"vllm_base_url": "http://gpu:8000", "openai_api_key": "k", "model": "m"},
            "huggingface",
            "m at gpu:8000",
            False,
        ),
    ],
)
def test_the_environment_chooses(
    environment: dict[str, str], provider: str, label: str, free: bool
) -> None:
    chosen = catalog(**environment).select()
    assert (chosen.provider, chosen.label, chosen.free) == (provider, label, free)


def test_an_agent_may_choose_for_itself() -> None:
    both = catalog(openai_api_key="k", anthropic_api_key="k", model="gpt-6")
    chosen = both.select("anthropic", "claude-opus-5")
    assert isinstance(chosen.llm, AnthropicLLM)
    assert chosen.model == "claude-opus-5"
    # OUTCRY_MODEL names a model of the provider that the environment chose.
    assert both.select("anthropic").model == "claude-haiku-4-5"
    assert both.select().model == "gpt-6"
    assert both.select("builtin").label == "built-in, keyless"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "huggingface"])
def test_a_provider_without_its_key_is_refused_and_not_replaced(provider: str) -> None:
    with pytest.raises(LLMUnauthorized, match=r"set [A-Z_]+"):
        catalog().select(provider)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(LLMNotFound, match="cohere"):
        catalog().select("cohere")


def test_each_llm_is_made_once() -> None:
    one = catalog(openai_api_key="k")
    assert one.select().llm is one.select("openai", "other").llm


def test_a_key_shows_nowhere() -> None:
    environment = LLMEnvironment(openai_api_key="sk-secret", anthropic_api_key="sk-other")
    text = f"{environment} {environment!r} {Catalog(environment, builtin=BUILTIN).select()!r}"
    assert "sk-" not in text
    assert "openai_api_key" in repr(environment)


async def test_an_own_server_is_asked_what_it_serves() -> None:
    async with FakeLLMServer("openai").serving() as server:
        for environment in (
            {"vllm_base_url": server.url.removesuffix("/v1")},
            {"vllm_base_url": server.url},
            {"openai_base_url": server.url},
        ):
            own = catalog(**environment)
            with pytest.raises(LLMNotFound, match="OUTCRY_MODEL"):
                own.select()
            await own.prepare()
            assert own.select().model == "fake-1"
            assert isinstance(own.select().llm, OpenAILLM)
            await own.aclose()


async def test_a_server_that_serves_nothing_says_so() -> None:
    async with FakeLLMServer("openai").serving() as server:
        server.models = []
        own = catalog(vllm_base_url=server.url)
        with pytest.raises(LLMNotFound, match="serves no model"):
            await own.prepare()
        await own.aclose()


async def test_nobody_is_asked_when_the_model_is_known() -> None:
    named = catalog(vllm_base_url="http://127.0.0.1:1", model="m")
    await named.prepare()
    assert named.select().model == "m"
    await catalog(openai_api_key="k").prepare()


@pytest.mark.parametrize(
    ("environment", "redirected"),
    [
        ({}, set()),
        ({"openai_api_key": "k", "openai_base_url": "https://api.openai.com/v1"}, set()),
        ({"openai_api_key": "k", "openai_base_url": "https://eu.api.openai.com/v1"}, set()),
        ({"openai_base_url": "http://127.0.0.1:8080/v1"}, {"openai"}),
        ({"openai_base_url": "https://api.openai.com.evil.example/v1"}, {"openai"}),
        ({"anthropic_api_key": "k", "anthropic_base_url": "https://proxy.example"}, {"anthropic"}),
    ],
)
def test_published_prices_apply_only_at_the_vendors_own_address(
    environment: dict[str, str], redirected: set[str]
) -> None:
    assert catalog(**environment).redirected == redirected | {"huggingface"}
