"""What would be run, without running it."""

import json
from pathlib import Path

import pytest

from inference.errors import BadInput, BadModel
from inference.llm_server.command import GIB, Machine, ModelFolder, ServeWishes, build
from inference.llm_server.families import FAMILIES, family_of
from inference.llm_server.here import NoServer, find_vllm, look_at_model

CPU = Machine(cores=2, free_memory=20 * GIB)
ONE_GPU = Machine(gpus=(80 * GIB,), cores=16, free_memory=100 * GIB)
QWEN = ModelFolder("Qwen/Qwen3-8B")


def value(argv: tuple[str, ...], flag: str) -> str | None:
    return argv[argv.index(flag) + 1] if flag in argv else None


@pytest.mark.parametrize(
    ("name", "tools", "reasoning"),
    [
        ("Qwen/Qwen3-8B", "hermes", "qwen3"),
        ("Qwen/Qwen3-4B-Instruct-2507", "hermes", None),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", None),
        ("Qwen/Qwen2.5-7B-Instruct", "hermes", None),
        ("openai/gpt-oss-20b", "openai", "openai_gptoss"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic", None),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "hermes", None),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral", None),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek_v3", "deepseek_r1"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek_v31", "deepseek_v3"),
        ("zai-org/GLM-4.5-Air", "glm45", "glm45"),
        ("ibm-granite/granite-4.0-h-small", "granite4", None),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "hermes", None),
    ],
)
def test_a_models_tool_calls_are_read_as_its_family_writes_them(
    name: str, tools: str, reasoning: str | None
) -> None:
    argv = build("vllm", ModelFolder(name), ONE_GPU, ServeWishes()).argv
    assert value(argv, "--tool-call-parser") == tools
    assert value(argv, "--reasoning-parser") == reasoning
    assert "--enable-auto-tool-choice" in argv


def test_a_folder_without_a_telling_name_is_known_by_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    config = {"model_type": "qwen3", "max_position_embeddings": 40_960}
    (folder / "config.json").write_text(json.dumps(config))
    model = look_at_model(str(folder))
    assert (model.is_local, model.context) == (True, 40_960)
    command = build("vllm", model, CPU, ServeWishes())
    assert command.family is not None
    assert command.family.name == "Qwen3"
    assert command.served_name == "mine"
    assert command.environment["HF_HUB_OFFLINE"] == "1"


def test_an_unknown_family_gets_the_usual_parser_and_it_is_said() -> None:
    command = build("vllm", ModelFolder("someone/novelty"), ONE_GPU, ServeWishes())
    assert value(command.argv, "--tool-call-parser") == "hermes"
    assert any("family is not known" in note for note in command.notes)


def test_a_template_that_leaves_tools_out_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    assert look_at_model(str(tmp_path)).shows_tools is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    command = build("vllm", look_at_model(str(tmp_path)), CPU, ServeWishes())
    assert value(command.argv, "--tool-call-parser") == "hermes", "who offers tools is not refused"
    assert any("leaves tools out" in note for note in command.notes)
    (tmp_path / "chat_template.jinja").write_text("{% if tools %}{{ tools }}{% endif %}")
    command = build("vllm", look_at_model(str(tmp_path)), CPU, ServeWishes())
    assert not any("leaves tools out" in note for note in command.notes)


def test_on_a_cpu_memory_and_context_are_bounded_and_it_is_said() -> None:
    command = build("vllm", QWEN, CPU, ServeWishes())
    assert command.environment["VLLM_CPU_KVCACHE_SPACE"] == "5"
    assert value(command.argv, "--max-model-len") == "8192"
    assert any("No GPU" in note for note in command.notes)
    assert "VLLM_CPU_KVCACHE_SPACE" not in build("vllm", QWEN, ONE_GPU, ServeWishes()).environment


def test_it_counts_nothing_and_tells_nobody() -> None:
    assert build("vllm", QWEN, ONE_GPU, ServeWishes()).environment["VLLM_NO_USAGE_STATS"] == "1"


def test_it_is_not_served_to_other_machines_without_a_key() -> None:
    with pytest.raises(BadInput, match="VLLM_API_KEY"):
        build("vllm", QWEN, ONE_GPU, ServeWishes(host="0.0.0.0"))
    assert build("vllm", QWEN, ONE_GPU, ServeWishes(host="0.0.0.0", has_key=True))
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert build("vllm", QWEN, ONE_GPU, ServeWishes(host=host))


def test_more_gpus_than_there_are_and_a_longer_context_than_it_has_are_refused() -> None:
    with pytest.raises(BadInput, match="this machine has 1"):
        build("vllm", QWEN, ONE_GPU, ServeWishes(gpus=2))
    with pytest.raises(BadInput, match="4,096 tokens at most"):
        build("vllm", ModelFolder("m", context=4_096), ONE_GPU, ServeWishes(context=8_192))
    two = Machine(gpus=(GIB, GIB))
    argv = build("vllm", QWEN, two, ServeWishes(gpus=2)).argv
    assert value(argv, "--tensor-parallel-size") == "2"


def test_embeddings_are_served_by_the_pooling_runner_and_call_no_tools() -> None:
    argv = build("vllm", QWEN, ONE_GPU, ServeWishes(embeddings=True)).argv
    assert (value(argv, "--runner"), value(argv, "--convert")) == ("pooling", "embed")
    assert "--tool-call-parser" not in argv


def test_what_is_added_comes_last() -> None:
    argv = build("vllm", QWEN, ONE_GPU, ServeWishes(extra=("--seed", "1"))).argv
    assert argv[-2:] == ("--seed", "1")


def test_a_folder_that_holds_no_model_is_refused_and_a_name_is_left_to_vllm(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"config\.json"):
        look_at_model(str(tmp_path))
    with pytest.raises(BadModel, match="no folder"):
        look_at_model(str(tmp_path / "absent"))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(BadModel, match=r"config\.json"):
        look_at_model(str(tmp_path))
    assert look_at_model("Qwen/Qwen3-8B") == ModelFolder("Qwen/Qwen3-8B")


def test_a_server_that_is_not_there_is_told_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NoServer, match="pip install vllm"):
        find_vllm(None)
    with pytest.raises(NoServer, match="nowhere/vllm is no command"):
        find_vllm("nowhere/vllm")


def test_special_families_stand_before_general_ones() -> None:
    for family in FAMILIES:
        example = family.name.lower().replace(" ", "-")
        assert family_of(example) is family, family.name
