"""Print the fields of messages as a product's own package declares them, for the tests.

Runs in the product's environment: MODULE MESSAGE [MESSAGE ...]. Prints {message: {number: [name,
type, many, fields]}}; `fields` are those of a message within, up to the fourth level.
"""

import json
import sys
from importlib import import_module
from typing import Any

WORDS = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string",
    11: "message", 12: "bytes", 13: "uint32", 14: "int32",
}  # fmt: skip
"""An enumeration is told as the int32 that it is on the wire."""
DEEPEST = 4


def fields(descriptor: Any, depth: int = 0) -> dict[str, Any]:
    """Return the fields of a message."""
    found = {}
    for one in descriptor.fields:
        within = None
        if one.message_type is not None and depth < DEEPEST:
            within = fields(one.message_type, depth + 1)
        many = one.is_repeated if hasattr(one, "is_repeated") else one.label == 3
        found[str(one.number)] = [one.name, WORDS.get(one.type, str(one.type)), many, within]
    return found


if __name__ == "__main__":
    module, *names = sys.argv[1:]
    declared = import_module(module)
    told = {name: fields(getattr(declared, name).DESCRIPTOR) for name in names}
    json.dump(told, sys.stdout)
