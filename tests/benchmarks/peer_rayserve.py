"""Ray Serve with the network of G10. Runs in an environment of its own."""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import argparse
import signal
import sys
import threading

import numpy as np
import ray
from ray import serve


@serve.deployment(max_ongoing_requests=256)
class Network:
    """Reads 64 numbers, gives one; requests that come together run together."""

    def __init__(self, weights):
        layers = np.load(weights)
        self._layers = [(layers[f"w{i}"], layers[f"b{i}"]) for i in range(len(layers.files) // 2)]

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def run(self, rows):
        x = np.asarray(rows, dtype=np.float64)
        for index, (weight, bias) in enumerate(self._layers):
            x = x @ weight.T + bias
            if index < len(self._layers) - 1:
                x = np.maximum(x, 0.0)
        return [float(value) for value in x[:, 0]]

    async def __call__(self, request):
        body = await request.json()
        return {"value": await self.run(body["x"])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", required=True)
    given = parser.parse_args()
    ray.init(num_cpus=4, include_dashboard=False, configure_logging=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": given.port})
    serve.run(Network.bind(given.weights))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    ray.shutdown()
    sys.exit(0)
