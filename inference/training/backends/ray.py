"""Trainings on a Ray cluster: a process on this machine drives them and brings the model back.

The server never imports Ray. When the driving process ends, Ray ends what it had begun.
"""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from inference.errors import MissingFramework
from inference.training.backends.local import LocalBackend


class RayBackend(LocalBackend):
    """Implements `inference.training.backends.backend.Backend`."""

    name = "ray"
    module = "inference.training.backends.ray_driver"

    def __init__(
        self,
        address: str,
        *,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        """Args:
        address: of the cluster, as `RAY_ADDRESS` has it: `host:6379`, `auto`, or `local` for a
            cluster that lasts as long as the training.
        python: an interpreter that has Ray.

        Raises:
            MissingFramework: Ray is not installed here.
        """
        if python == sys.executable and find_spec("ray") is None:
            raise MissingFramework("Ray", extra="ray")
        given = os.environ if environment is None else environment
        super().__init__(environment=given, python=python)
        # How to reach the cluster, its token included, is the driver's business.
        self._environment |= {key: value for key, value in given.items() if key.startswith("RAY_")}
        self._environment["RAY_ADDRESS"] = address
