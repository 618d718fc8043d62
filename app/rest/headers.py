"""The headers that every HTTP answer carries, whoever made it; to HEAD they are all of it."""

from litestar.types import Message, Scope

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # 'self' covers the websocket as well: same host and port under ws: or wss: (CSP 3).
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Add them to an answer about to be sent; what is personal is also kept out of caches."""
    if message["type"] != "http.response.start":
        return
    present = {name.lower() for name, _ in message["headers"]}
    headers = list(message["headers"])
    headers += [(name, value) for name, value in SECURITY_HEADERS if name not in present]
    if b"cache-control" not in present:
        headers.append((b"cache-control", b"no-store"))
    message["headers"] = headers


async def leave_out_body(message: Message, scope: Scope) -> None:
    """Answer HEAD as GET, Content-Length included, but for the body."""
    if message["type"] == "http.response.body" and scope.get("method") == "HEAD":
        message["body"] = b""
