"""Back up and restore the embedded database: ``make backup`` and ``make restore FILE=…``."""

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dealercrm import embedded  # noqa: E402 - a tool runs as a plain file


def backup(layout: embedded.Layout, directory: Path, *, now: datetime) -> Path:
    """Write the whole database into a new file of ``directory``, consistent while others go on writing."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = directory / f"dealercrm-{now:%Y%m%d-%H%M%S}.dump"
    part = target.with_suffix(".part")
    _run(layout, "pg_dump", "--format=custom", "--file", str(part), embedded.DATABASE)
    part.chmod(0o600)
    part.rename(target)
    return target


def restore(layout: embedded.Layout, source: Path) -> None:
    """Replace the database by what ``source`` holds, or leave it as it is when that fails.

    Fails while others are connected: the site has to be stopped.
    """
    fresh, old = f"{embedded.DATABASE}_restored", f"{embedded.DATABASE}_replaced"
    _sql(layout, f'DROP DATABASE IF EXISTS "{fresh}"', f'DROP DATABASE IF EXISTS "{old}"', f'CREATE DATABASE "{fresh}"')
    _run(layout, "pg_restore", "--exit-on-error", "--dbname", fresh, str(source))
    _sql(
        layout,
        f'ALTER DATABASE "{embedded.DATABASE}" RENAME TO "{old}"',
        f'ALTER DATABASE "{fresh}" RENAME TO "{embedded.DATABASE}"',
        f'DROP DATABASE "{old}"',
    )


def _sql(layout: embedded.Layout, *statements: str) -> None:
    commands = [word for statement in statements for word in ("--command", statement)]
    _run(layout, "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", "postgres", *commands)


def _run(layout: embedded.Layout, program: str, *words: str) -> None:
    embedded.hold(layout)
    command = [str(embedded.postgres_program(program)), "--host", str(layout.postgres_sockets)]
    command += ["--username", embedded.ROLE]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise embedded.EmbeddedServerError(done.stderr.strip())


def main() -> int:
    parser = argparse.ArgumentParser(description="Back up or restore the embedded database.")
    parser.add_argument("verb", choices=["backup", "restore"])
    parser.add_argument("file", type=Path, nargs="?")
    options = parser.parse_args()
    layout = embedded.Layout.of_project(ROOT)
    try:
        if options.verb == "backup":
            print(backup(layout, layout.var / "backup", now=datetime.now(UTC)))
        elif options.file is None or not options.file.is_file():
            parser.error("name the backup to restore: make restore FILE=var/backup/dealercrm-….dump")
        else:
            restore(layout, options.file)
            print(f"Restored from {options.file}")
    except embedded.EmbeddedServerError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        embedded.release_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
