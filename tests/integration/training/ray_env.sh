#!/bin/sh
# Make a Python environment with Ray, apart from the product's own, and train in it.
#
#   tests/integration/training/ray_env.sh /tmp/outcry-ray
#   OUTCRY_RAY_PYTHON=/tmp/outcry-ray/bin/python pytest tests/integration/training/test_ray.py
set -eu
target=${1:?usage: ray_env.sh DIRECTORY}
python3 -m venv "$target"
# What the recipes of the core need, and Ray. The product's code is found by its path.
"$target/bin/pip" install --quiet 'ray[train]==2.60.0' msgspec numpy safetensors zstandard
"$target/bin/python" -c "import ray; print('Ray', ray.__version__)"
echo "OUTCRY_RAY_PYTHON=$target/bin/python"
