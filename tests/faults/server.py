"""The product as a process of its own: start it, ask it, kill it, start it again.

Each server has its own data directory and port. The port is chosen once and kept over restarts,
as clients that reconnect expect.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.storage.embedded_place import find_place

ROOT = Path(__file__).resolve().parents[2]
ADMIN_EMAIL = "admin@desk.test"
ADMIN_PASSWORD = "correct horse battery staple"


def free_port() -> int:
    """Return a TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerFailed(Exception):
    """The server did not come up; the message ends with what it printed."""


@dataclass
class Response:
    """One HTTP answer, body as parsed JSON where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes = b""


@dataclass
class Server:
    """One desk in one data directory."""

    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_suffix(".log")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def launch(self) -> None:
        """Start the process and return at once."""
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ
        }
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "app.cli", "serve"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *("--data-dir", str(self.data_dir)),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={
                    **inherited,
                    "OUTCRY_ADMIN_EMAIL": ADMIN_EMAIL,
                    "OUTCRY_ADMIN_PASSWORD": ADMIN_PASSWORD,
                    "OUTCRY_DEMO_FETCH": "0",
                    "OUTCRY_DEFAULT_MODELS": "0",
                    **self.environment,
                },
            )

    def wait_ready(self, *, timeout_s: float = 60) -> None:
        """Return once `/health/ready` says yes.

        Raises:
            ServerFailed: it ended, or said no until the time was up.
        """
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        said = "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerFailed(f"it ended with {self.process.returncode}:\n{self.output()}")
            try:
                response = self.request("GET", "/health/ready", timeout_s=5)
                if response.status == 200:
                    return
                said = f"{response.status} {response.body}"
            except OSError as error:
                said = str(error)
            time.sleep(0.02)
        raise ServerFailed(f"not ready after {timeout_s} s ({said}):\n{self.output()}")

    def start(self, *, timeout_s: float = 60) -> None:
        """Start the process and wait until it answers."""
        self.launch()
        self.wait_ready(timeout_s=timeout_s)

    def kill(self) -> None:
        """SIGKILL the server process alone; what it started lives on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, *, timeout_s: float = 30) -> int:
        """Ask it to end and wait; return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def postmaster(self) -> int | None:
        """Return the process id of the embedded Postgres, as its own pid file tells it."""
        if not self.data_dir.exists():
            return None
        cluster = find_place(self.data_dir, lambda _: None).cluster
        try:
            pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        # A pid file may be older than the process that now has its number.
        return pid if str(cluster) in _command_line(pid) else None

    def clean_up(self) -> None:
        """End the server and its Postgres, whatever state they are in, and delete their files."""
        if self.process is not None:
            self.terminate()
        postmaster = self.postmaster()
        if postmaster is not None:
            os.kill(postmaster, signal.SIGINT)
            deadline = time.monotonic() + 10
            while Path(f"/proc/{postmaster}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        if self.data_dir.exists():
            # As root the cluster may live outside the data directory.
            shutil.rmtree(find_place(self.data_dir, lambda _: None).base, ignore_errors=True)

    def output(self, *, last: int = 4000) -> str:
        """Return the end of what the server printed."""
        return self.log_path.read_text(errors="replace")[-last:]

    def postgres_log(self, *, last: int = 3000) -> str:
        """Return the end of what the embedded Postgres printed, and who is left of it."""
        place = find_place(self.data_dir, lambda _: None)
        left = [
            f"{entry.name} {_command_line(int(entry.name))}"
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _works_in(int(entry.name), place.cluster)
        ]
        printed = place.log.read_text(errors="replace")[-last:] if place.log.exists() else ""
        return printed + "\nstill alive: " + ("; ".join(left) or "nobody")

    # --- asking -------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 15,
    ) -> Response:
        """Send one HTTP request; a `body` that is no bytes goes as JSON."""
        sent = dict(headers or {})
        data: bytes | None = None
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            raw = answer.read()
            got = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        parsed: Any = None
        if "json" in got.get("content-type", ""):
            parsed = json.loads(raw)
        return Response(answer.status, got, parsed, raw)

    def sign_in(self, email: str = ADMIN_EMAIL, password: str = ADMIN_PASSWORD) -> str:
        """Return the `Cookie` header of a new session."""
        response = self.request(
            "POST", "/api/v1/auth/login", {"email": email, "password": password}
        )
        if response.status not in (200, 201):
            raise ServerFailed(f"signing in: {response.status} {response.body}")
        return response.headers["set-cookie"].split(";", 1)[0]

    def api_key(
        self,
        *scopes: str,
        email: str = ADMIN_EMAIL,
        password: str = ADMIN_PASSWORD,
        name: str = "tests",
    ) -> str:
        """Return a new API key of a user, with all scopes unless some are named."""
        cookie = self.sign_in(email, password)
        return self._make_key(cookie, scopes or ("chat", "read", "write", "admin"), name)

    def _make_key(self, cookie: str, scopes: Sequence[str], name: str) -> str:
        response = self.request(
            "POST",
            "/api/v1/me/api-keys",
            {"name": name, "scopes": list(scopes)},
            headers={"Cookie": cookie, "Origin": self.origin},
        )
        if response.status not in (200, 201):
            raise ServerFailed(f"making a key: {response.status} {response.body}")
        return str(response.body["key"])

    def add_user(self, email: str) -> str:
        """Make a further user by the command line; return an API key of theirs."""
        printed = self.command("user", "add", email)
        found = re.search(r"#([\w-]+)", printed)
        if found is None:
            raise ServerFailed(f"no sign-in link in {printed!r}")
        signed_in = self.request("POST", "/api/v1/auth/link", {"token": found[1]})
        if signed_in.status not in (200, 201):
            raise ServerFailed(f"the link: {signed_in.status} {signed_in.body}")
        cookie = signed_in.headers["set-cookie"].split(";", 1)[0]
        return self._make_key(cookie, ("chat", "read", "write"), "tests")

    def command(self, *arguments: str) -> str:
        """Run one verb of the command line on this data directory; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments, "--data-dir", str(self.data_dir)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "COLUMNS": "1000", **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def pages(self, path: str, *, key: str) -> list[Any]:
        """Return all items of a list, page by page, as it gives them."""
        items: list[Any] = []
        cursor: str | None = None
        joint = "&" if "?" in path else "?"
        while True:
            query = f"{path}{joint}limit=200" + (f"&cursor={cursor}" if cursor else "")
            response = self.request("GET", query, key=key)
            if response.status != 200:
                raise ServerFailed(f"GET {query}: {response.status} {response.body}")
            items += response.body["items"]
            cursor = response.body["nextCursor"]
            if not cursor:
                return items


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", cluster)
    except OSError:
        return False


@contextmanager
def serving(data_dir: Path, **environment: str) -> Iterator[Server]:
    """Run a desk in `data_dir` and clean up after it."""
    server = Server(data_dir, environment)
    try:
        server.start()
        yield server
    finally:
        server.clean_up()
