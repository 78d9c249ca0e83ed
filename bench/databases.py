"""Databases that live as long as one measurement."""

import os
import subprocess
import sys

from django.db import connection


def conditions() -> str:
    """Say on what is measured: the server's version and the settings that matter."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('shared_buffers'), current_setting('fsync')")
        return "{}; shared_buffers {}, fsync {}".format(*cursor.fetchone())


def run_in_own_database(name: str, *words: str) -> None:
    """Run ``python words`` with ``DATABASE_URL`` at a new database of the configured server, and drop it afterwards."""
    place = connection.settings_dict
    url = os.environ.get("DATABASE_URL") or f"postgresql://{place['USER']}@/{place['HOST']}/{place['NAME']}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
        try:
            subprocess.run(
                [sys.executable, *words],
                env={**os.environ, "DATABASE_URL": f"{url.rpartition('/')[0]}/{name}"},
                check=True,
            )
        finally:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
