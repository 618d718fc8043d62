"""A desk as the clients of others see it: addresses, a key, and what is stored in the end."""

from typing import Any

import msgspec

from tests.faults.server import Server

KEYLESS = "Keyless analyst"
"""An agent that thinks with the built-in model, and so calls tools."""


class RunningDesk(msgspec.Struct, frozen=True):
    """A server, and a key with all scopes."""

    server: Server
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """What the examples of the documentation read."""
        return {
            "OUTCRY_URL": f"ws://127.0.0.1:{self.server.port}/ws",
            "OUTCRY_HTTP": self.server.origin,
            "OUTCRY_KEY": self.key,
        }

    def messages(self, thread_id: str) -> list[Any]:
        """Return the stored messages of a conversation that are in force, oldest first."""
        path = f"/api/v1/conversations/{thread_id}/messages"
        return self.server.pages(path, key=self.key)[::-1]

    def events(self, run_id: str) -> list[Any]:
        """Return all stored events of a run."""
        items = self.server.pages(f"/api/v1/runs/{run_id}/events", key=self.key)
        return [item["event"] for item in items]


def add_keyless_agent(server: Server, key: str) -> None:
    """Make the agent `KEYLESS`, like the analyst in everything but its LLM."""
    [analyst] = server.pages("/api/v1/agents", key=key)
    copied = {name: analyst[name] for name in ("type", "systemPrompt", "tools")}
    body = {"name": KEYLESS, "llmProvider": "builtin", **copied}
    made = server.request("POST", "/api/v1/agents", body, key=key)
    assert made.status == 201, made.body
