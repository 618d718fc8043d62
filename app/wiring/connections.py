"""Which providers the models of the prediction engine may ask: those that agents think with."""

from urllib.parse import urlsplit

from agents.llms.anthropic import ANTHROPIC_URL
from agents.llms.catalog import LLMEnvironment
from agents.llms.openai import OPENAI_URL
from inference.runtimes.connections import Connection


def model_connections(given: LLMEnvironment) -> dict[str, Connection]:
    """Return the connections by name; a provider that nobody set up is not among them."""
    found = {}
    if given.openai_api_key or given.openai_base_url:
        base = given.openai_base_url or OPENAI_URL
        found["openai"] = Connection(base, given.openai_api_key or "")
    if given.anthropic_api_key:
        base = given.anthropic_base_url or ANTHROPIC_URL
        found["anthropic"] = Connection(base, given.anthropic_api_key)
    if given.vllm_base_url:
        base = given.vllm_base_url.rstrip("/")
        base = base if urlsplit(base).path else f"{base}/v1"
        found["vllm"] = Connection(base, given.vllm_api_key or "")
    return found
