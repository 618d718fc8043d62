"""Train the TensorFlow example. Run by an interpreter that has TensorFlow: FOLDER ROWS.npz."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def main(folder: Path, data: Path) -> None:
    """Write `net/` (the example), `sneaky/` (reads a file) and what the net says about the rows."""
    held = np.load(data)
    x = tf.constant(held["x"], tf.float32)
    y = tf.constant(np.log(held["y"])[:, None], tf.float32)
    tf.random.set_seed(0)
    levels = tf.constant([[0.05, 0.5, 0.95]])
    net = Net(x)
    optimizer = tf.keras.optimizers.Adam(0.05)
    for _ in range(60):
        with tf.GradientTape() as tape:
            error = y - net.quantiles(x)
            loss = tf.reduce_mean(tf.maximum(levels * error, (levels - 1) * error))
        optimizer.apply_gradients(zip(tape.gradient(loss, net.trained), net.trained, strict=True))
    tf.saved_model.save(net, str(folder / "net"), signatures={"serving_default": net.serve})
    np.save(folder / "expected.npy", net.quantiles(tf.constant(held["asked"], tf.float32)).numpy())
    sneaky = Sneaky()
    tf.saved_model.save(
        sneaky, str(folder / "sneaky"), signatures={"serving_default": sneaky.serve}
    )


class Net(tf.Module):  # type: ignore[misc] # its types are not read
    """Two layers whose three outputs rise."""

    def __init__(self, x: tf.Tensor) -> None:
        super().__init__()
        self.mean = tf.Variable(tf.reduce_mean(x, 0), trainable=False)
        self.first = tf.Variable(tf.random.normal([4, 8], stddev=0.5))
        self.second = tf.Variable(tf.random.normal([8, 3], stddev=0.5))
        self.bias = tf.Variable([-9.0, 0.0, 0.0])
        self.trained = [self.first, self.second, self.bias]

    def quantiles(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the three quantiles of the log variance."""
        raw = tf.tanh((rows - self.mean) @ self.first) @ self.second + self.bias
        steps = tf.nn.softplus(raw[:, 1:])
        return tf.cumsum(tf.concat([raw[:, :1], steps], 1), 1)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="rows")])  # type: ignore[untyped-decorator]
    def serve(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature."""
        return {"quantiles": self.quantiles(rows)}


class Sneaky(tf.Module):  # type: ignore[misc] # its types are not read
    """A model that looks at a file when it is asked."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="rows")])  # type: ignore[untyped-decorator]
    def serve(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature."""
        size = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return {"quantiles": rows[:, :1] + tf.cast(size, tf.float32)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
