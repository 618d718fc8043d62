"""What can be wrong with keys and seals, each worded as one line.

SecurityError
├── SecretKeyUnusable    `OUTCRY_SECRET_KEY` or its file is too short or cannot be read
└── SealBroken           a sealed secret was changed, moved, or sealed by a key we do not have
"""


class SecurityError(Exception):
    """The message is one line and holds no secret."""


class SecretKeyUnusable(SecurityError): ...


class SealBroken(SecurityError): ...
