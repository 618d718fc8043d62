"""Which of vLLM's parsers understand a model's tool calls and thoughts.

A wrong parser does not fail: tool calls come out as text and no tool is ever called. The names are
those of vLLM 0.32 (`vllm/tool_parsers/__init__.py`, `vllm/reasoning/__init__.py`); a test holds the
table to an installed vLLM.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Models that speak alike."""

    name: str
    pattern: str
    """Found in the lower-case name or path, or in `model_type` of the configuration."""
    tools: str
    """`--tool-call-parser`."""
    reasoning: str | None = None
    """`--reasoning-parser`."""


FAMILIES: tuple[Family, ...] = (
    Family("gpt-oss", r"gpt[-_]?oss", "openai", "openai_gptoss"),
    Family("Qwen3 Coder", r"qwen3[-_.\d]*coder", "qwen3_coder"),
    Family("Qwen3", r"qwen3(?!.*instruct-2507)|qwq", "hermes", "qwen3"),
    Family("Qwen", r"qwen", "hermes"),
    Family("Hermes", r"hermes", "hermes"),
    Family("SmolLM", r"smollm", "hermes"),
    Family("DeepSeek R1", r"deepseek[-_]r1", "deepseek_v3", "deepseek_r1"),
    Family("DeepSeek V3.1", r"deepseek[-_]v3\.1", "deepseek_v31", "deepseek_v3"),
    Family("DeepSeek V3.2", r"deepseek[-_]v3\.?2", "deepseek_v32", "deepseek_v3"),
    Family("DeepSeek V4", r"deepseek[-_]v4", "deepseek_v4", "deepseek_v4"),
    Family("DeepSeek V3", r"deepseek[-_]v3", "deepseek_v3"),
    Family("Llama 4", r"llama[-_]?4", "llama4_pythonic"),
    Family("Llama 3", r"llama[-_]?3", "llama3_json"),
    Family("Magistral", r"magistral", "mistral", "mistral"),
    Family("Mistral", r"mistral|mixtral|ministral|devstral", "mistral"),
    Family("Gemma 4", r"gemma[-_]?4", "gemma4", "gemma4"),
    Family("Granite 4", r"granite[-_]?(4|moehybrid)", "granite4"),
    Family("Granite", r"granite", "granite", "granite"),
    Family("GLM 4.7", r"glm[-_]?4\.7", "glm47", "glm47"),
    Family("GLM 4.5", r"glm[-_]?4", "glm45", "glm45"),
    Family("Kimi K2", r"kimi[-_]?k2", "kimi_k2", "kimi_k2"),
    Family("MiniMax M2", r"minimax[-_]?m2", "minimax_m2", "minimax_m2"),
    Family("Phi 4 mini", r"phi[-_]?4[-_]mini", "phi4_mini_json"),
    Family(
        "Command A", r"command[-_]?a|c4ai-command|cohere2", "cohere_command3", "cohere_command3"
    ),
    Family("OLMo 3", r"olmo[-_]?3", "olmo3", "olmo3"),
    Family("Seed-OSS", r"seed[-_]oss", "seed_oss", "seed_oss"),
    Family("ERNIE 4.5", r"ernie[-_]?4[._]5", "ernie45", "ernie45"),
    Family("Hunyuan", r"hunyuan", "hunyuan_a13b", "hunyuan_a13b"),
    Family("Nemotron 3", r"nemotron[-_]?(3|h)", "qwen3_coder", "nemotron_v3"),
    Family("InternLM", r"internlm", "internlm"),
    Family("Jamba", r"jamba", "jamba"),
    Family("LFM2", r"lfm[-_]?2", "lfm2"),
    Family("xLAM", r"xlam", "xlam"),
)
"""The first that matches counts: special ones stand before general ones."""


def family_of(name: str, model_type: str = "") -> Family | None:
    """Return the family of a model by its name, else by its configuration's `model_type`."""
    for text in (name.lower(), model_type.lower()):
        for family in FAMILIES:
            if text and re.search(family.pattern, text):
                return family
    return None
