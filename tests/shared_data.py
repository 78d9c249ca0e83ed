"""Real data made by others lie beside the checkout, never in it. Where they are absent, their tests say so and skip."""

from pathlib import Path

import pytest

FOLDERS = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]


def shared_data(name: str) -> Path:
    """Return the path of a shared file, or skip the test with the reason."""
    for folder in FOLDERS:
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"../shared/data/{name} is not on this machine")
