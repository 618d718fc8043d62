"""LitServe with the network of G10. Runs in an environment of its own."""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import argparse

import litserve as ls
import numpy as np


class Network(ls.LitAPI):
    """Reads 64 numbers, gives one. With torch, the large network."""

    def __init__(self, weights, *, torch, batch):
        super().__init__(max_batch_size=batch, batch_timeout=0.001)
        self._weights = weights
        self._torch = torch
        self._batched = batch > 1

    def setup(self, device):
        layers = np.load(self._weights)
        count = len(layers.files) // 2
        self._layers = [(layers[f"w{i}"], layers[f"b{i}"]) for i in range(count)]
        if self._torch:
            import torch  # noqa: PLC0415 - only for the large network

            self._run = _torch_net(torch, self._layers)
        else:
            self._run = self._numpy

    def _numpy(self, x):
        for index, (weight, bias) in enumerate(self._layers):
            x = x @ weight.T + bias
            if index < len(self._layers) - 1:
                x = np.maximum(x, 0.0)
        return x[:, 0]

    def decode_request(self, request):
        return request["x"]

    def predict(self, x):
        return self._run(np.asarray(x if self._batched else [x], dtype=np.float64))

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"value": float(output if self._batched else output[0])}


def _torch_net(torch, layers):
    modules = []
    for index, (weight, bias) in enumerate(layers):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = torch.tensor(weight), torch.tensor(bias)
        modules += [linear.float()] + ([torch.nn.ReLU()] if index < len(layers) - 1 else [])
    net = torch.nn.Sequential(*modules).eval()

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x).float())[:, 0].double().numpy()

    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--torch", action="store_true")
    given = parser.parse_args()
    api = Network(given.weights, torch=given.torch, batch=given.batch)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=given.port, host="127.0.0.1", generate_client_file=False, log_level="error")
