"""Find the system's Chromium for the browser tests, and install it where that can be done without asking."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk")


def find() -> str | None:
    """The path of a Chromium, or ``None``. ``CHROMIUM`` in the environment names one that is not on ``PATH``."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def reason() -> str:
    """Why the browser tests are skipped, with the way out."""
    return (
        "no Chromium on this machine and it could not be installed: "
        "apt-get install chromium fonts-noto-cjk, or set CHROMIUM"
    )


def install() -> None:
    """Try to install Chromium with fonts for Chinese; a failure is left to the caller to notice."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print("Installing Chromium for the browser tests …", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-q", *command], env=environment, capture_output=True, text=True, check=False, timeout=1200
        )
        if done.returncode:
            print(done.stderr.strip(), file=sys.stderr)
            return


if __name__ == "__main__":
    if find() is None:
        install()
    print(f"Browser tests use {find()}" if find() else f"Browser tests will be skipped: {reason()}")
