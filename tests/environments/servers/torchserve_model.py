"""The small models as TorchServe's workers run them; `linear` is a network of PyTorch."""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import arithmetic
import numpy as np
import torch


class Handler:
    """One small model: answers `{"instances": [...]}` with `{"predictions": [...]}`."""

    def initialize(self, context) -> None:
        """Read which one it is."""
        manifest = context.manifest["model"]
        self._name, _, version = manifest["modelName"].partition("-")
        self._version = version.partition(".")[0]
        if self._name == "unready":
            raise RuntimeError("this model cannot be loaded")
        self._net = torch.nn.Linear(2, 1, dtype=torch.float64)
        with torch.no_grad():
            self._net.weight.copy_(torch.tensor([[2.0, -3.0]]))
            self._net.bias.copy_(torch.tensor([0.5]))

    def handle(self, data, context) -> list:
        """Answer each request of a batch."""
        return [{"predictions": self._of(one.get("body")["instances"])} for one in data]

    def _of(self, instances: list) -> list:
        if self._name == "mixed":
            columns = [[one[name] for one in instances] for name in arithmetic.MIXED]
            return arithmetic.mixed(*columns).tolist()
        matrix = np.array(instances, dtype=np.float64)
        match self._name:
            case "linear":
                with torch.no_grad():
                    return self._net(torch.from_numpy(matrix)).tolist()
            case "versioned":
                return arithmetic.versioned(matrix, self._version).tolist()
            case "range":
                low, high = arithmetic.ends(matrix)
                return [{"low": a, "high": b} for a, b in zip(low, high, strict=True)]
            case "slow":
                return arithmetic.slow(matrix).tolist()
            case "broken":
                return arithmetic.broken().tolist()
            case _:
                return arithmetic.total(matrix).tolist()
