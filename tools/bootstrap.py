"""Prepare ``.venv/`` with everything the project needs; run by ``make setup`` with the machine's own Python.

Done once, and again whenever a requirements file changes: a stamp file carries the hash of what is installed. Only
the standard library is used, and the version check comes before anything that an old Python could not read.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells the reader of an old Python
    sys.exit(
        "dealercrm needs Python 3.11 or newer; "
        + sys.executable
        + " is "
        + sys.version.split()[0]
        + ". Name a newer one: make PYTHON=python3.12 run"
    )

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


def main() -> None:
    """Leave a ``.venv`` that matches the requirements, or exit with a sentence that says what is missing."""
    digest = hashlib.sha256(f"{sys.version_info[0]}.{sys.version_info[1]}\0".encode())
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    stamp = VENV / "requirements.sha256"
    python = VENV / "bin" / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    print("Preparing .venv (the first time this takes a minute) …", flush=True)
    # A checkout that was moved or copied brings an interpreter that no longer answers.
    if not _answers(python):
        _create()
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--quiet",  # errors only
        "--no-compile",  # most modules of most packages are never imported
        "--disable-pip-version-check",
        "--use-pep517",  # older versions of pip build source packages in a way of their own and warn about it
        "--no-warn-script-location",
    ]
    if os.geteuid() == 0:
        command.append("--root-user-action=ignore")
    if subprocess.run([*command, "-r", str(ROOT / "requirements-dev.txt")], check=False).returncode:
        sys.exit("The requirements could not be installed; pip's message is above. Is a package index reachable?")
    stamp.write_text(digest.hexdigest())


def _answers(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _create() -> None:
    if _make_venv():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("This Python lacks ensurepip; installing python3-venv …", flush=True)
        subprocess.run(["apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
        subprocess.run(["apt-get", "install", "-y", "-q", "python3-venv"], stdout=subprocess.DEVNULL, check=False)
        if _make_venv():
            return
    sys.exit(
        f"{sys.executable} cannot create a virtual environment (see above). On Debian and Ubuntu: "
        "apt-get install python3-venv"
    )


def _make_venv() -> bool:
    return subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=False).returncode == 0


if __name__ == "__main__":
    main()
