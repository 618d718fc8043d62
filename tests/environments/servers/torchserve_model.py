"""The small models as TorchServe's workers run them; `linear` is a network of PyTorch."""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import arithmetic
import numpy as np


def network():
    """Return a network of PyTorch; the other models start sooner without it."""
    import torch  # noqa: PLC0415

    net = torch.nn.Linear(2, 1, dtype=torch.float64).requires_grad_(False)
    net.weight.copy_(torch.tensor([[2.0, -3.0]]))
    net.bias.copy_(torch.tensor([0.5]))
    return lambda matrix: net(torch.from_numpy(matrix)).tolist()


class Handler:
    """One small model: answers `{"instances": [...]}` with `{"predictions": [...]}`."""

    def initialize(self, context) -> None:
        """Read which one it is."""
        manifest = context.manifest["model"]
        self._name, _, version = manifest["modelName"].partition("-")
        self._version = version.partition(".")[0]
        if self._name == "unready":
            raise RuntimeError("this model cannot be loaded")
        if self._name == "linear":
            self._net = network()

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
                return self._net(matrix)
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
