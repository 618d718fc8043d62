"""As much of the `dvc` command as the product uses, on local folders: for tests without DVC.

python tests/fakes/dvc_command.py push --remote NAME FILE.dvc
"""

import configparser
import hashlib
import os
import shutil
import sys
from pathlib import Path

CONFIG = Path(".dvc/config")


def cache(md5: str, root: Path = Path(".dvc/cache")) -> Path:
    return root / "files" / "md5" / md5[:2] / md5[2:]


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def config() -> configparser.ConfigParser:
    read = configparser.ConfigParser()
    read.read(CONFIG)
    return read


def remote_of(arguments: list[str]) -> Path:
    read = config()
    chosen = read.get("core", "remote", fallback=None)
    if "--remote" in arguments:
        chosen = arguments[arguments.index("--remote") + 1]
    section = f"remote {chosen}"
    if section not in read:
        raise SystemExit(f"ERROR: config file error: remote '{chosen}' doesn't exist")
    return Path(read[section]["url"])


def main(verb: str, *rest: str) -> None:
    arguments = [one for one in rest if one not in ("--quiet", "--force", "--no-scm")]
    if "DVC_NO_ANALYTICS" not in os.environ or "OPENAI_API_KEY" in os.environ:
        raise SystemExit("ERROR: the environment is not clean")
    if verb == "init":
        CONFIG.parent.mkdir()
        CONFIG.touch()
    elif verb == "config":
        print(config().get("core", "remote", fallback=""))  # noqa: T201
    elif verb == "remote":
        read = config()
        read[f"remote {arguments[1]}"] = {"url": arguments[2]}
        with CONFIG.open("w") as file:
            read.write(file)
    elif verb == "add":
        md5 = md5_of(Path(arguments[0]))
        cache(md5).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(arguments[0], cache(md5))
        Path(f"{arguments[0]}.dvc").write_text(f"outs:\n- md5: {md5}\n")
    else:
        pointer = Path(arguments[-1])
        md5 = pointer.read_text().split("md5: ")[1].strip()
        there = cache(md5, remote_of(arguments))
        if verb == "push":
            try:
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(cache(md5), there)
            except OSError as wrong:
                raise SystemExit(f"ERROR: failed to push data to the cloud - {wrong}") from None
        else:
            if not cache(md5).exists():
                if not there.exists() or md5_of(there) != md5:
                    raise SystemExit("ERROR: failed to pull data from the cloud - missing files")
                cache(md5).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(there, cache(md5))
            shutil.copyfile(cache(md5), pointer.with_suffix(""))


if __name__ == "__main__":
    main(*sys.argv[1:])
