"""numba where it is installed, and nothing where it is not.

Compiling takes seconds the first time (kept on disk afterwards, beside the source or in the user's
cache directory) and importing numba half a second always. So nobody waits for it: it begins in a
thread when there is enough to do for it to pay, and until it is done the slower way is taken.
"""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Sequence
from typing import Any


class Kernel:
    """A function of arrays, as fast code once it is prepared.

    `parts` are the functions that it calls. They must stand in its own file: what is kept on disk
    is thrown away when that file changes, and only then.
    """

    def __init__(
        self,
        function: Callable[..., None],
        *parts: Callable[..., Any],
        example: Callable[[], Sequence[Any]],
        contract: bool = False,
    ) -> None:
        """Name what to compile.

        Args:
            example: small arguments to compile for.
            contract: let a product and the sum it goes into be rounded once, as one operation.
        """
        self._function = function
        self._parts = parts
        self._example = example
        self._fastmath = {"contract"} if contract else False
        self._lock = threading.Lock()
        self._begun = False
        self.fast: Callable[..., None] | None = None
        """The compiled function, once `prepare` has returned True."""

    def prepare(self) -> bool:
        """Compile, or read what was compiled before; return False where there is no numba."""
        if importlib.util.find_spec("numba") is None:
            return False
        with self._lock:
            if self.fast is None:
                numba = importlib.import_module("numba")
                for part in self._parts:
                    numba.extending.register_jitable(part)
                fast = numba.njit(cache=True, error_model="numpy", fastmath=self._fastmath)(
                    self._function
                )
                fast(*self._example())
                self.fast = fast
        return True

    def prepare_soon(self) -> None:
        """Begin to prepare in a thread of its own, once; whoever calls does not wait."""
        if self.fast is None and not self._begun:
            self._begun = True
            threading.Thread(target=self.prepare, name="compile", daemon=True).start()
