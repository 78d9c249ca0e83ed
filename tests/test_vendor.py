import hashlib
import tomllib
from pathlib import Path

from django.conf import settings

VENDOR = Path(settings.BASE_DIR) / "static" / "vendor"


def _files():
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    return {file["path"]: file["sha256"] for package in packages for file in package["file"]}


def test_vendored_files_are_as_recorded():
    assert {path: hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() for path in _files()} == _files()


def test_every_vendored_file_is_recorded_and_every_package_has_its_licence():
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    packages = {path.split("/")[0] for path in _files()}
    assert found == {*_files(), "vendor.toml", *(f"{package}/LICENSE" for package in packages)}
