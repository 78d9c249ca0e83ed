"""The translations, without the gettext programs: ``locale/zh_Hans/LC_MESSAGES/django.po``.

``python tools/messages.py`` brings the catalogue up to the code: new texts come in untranslated, texts that the code
no longer has go out, existing translations stay. The file is sorted and carries neither line numbers nor dates, so
that two branches rarely meet in it. ``--check`` changes nothing and fails when a text is missing, fuzzy, obsolete or
has other placeholders than its original; ``--compile`` writes the ``.mo`` file that Django reads. English needs no
catalogue: the texts in the code are English.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
# Not shown to anybody: tests, tools, and what is not ours.
SKIPPED = {".venv", ".git", "var", "tests", "tools", "bench", "docs", "node_modules", "locale", "static", "migrations"}

_SINGULAR, _PLURAL, _CONTEXT, _CONTEXT_PLURAL = None, (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
KEYWORDS = {
    "_": _SINGULAR,
    "gettext": _SINGULAR,
    "gettext_lazy": _SINGULAR,
    "gettext_noop": _SINGULAR,
    "ngettext": _PLURAL,
    "ngettext_lazy": _PLURAL,
    "pgettext": _CONTEXT,
    "pgettext_lazy": _CONTEXT,
    "npgettext": _CONTEXT_PLURAL,
    "npgettext_lazy": _CONTEXT_PLURAL,
}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")
# Dates and names of the last tool would be the only change of many commits.
NOISY_HEADER = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Generated-By|Report-Msgid-Bugs-To|Language-Team):.*\n',
    re.MULTILINE,
)

Key = tuple[str, str | None]


def sources(root: Path) -> Iterator[Path]:
    """Every Python module and template below ``root`` whose text a user may read, in a stable order."""
    for path in sorted(root.rglob("*")):
        folders = path.relative_to(root).parts[:-1]
        is_template = path.suffix in {".html", ".txt"} and "templates" in folders
        if (path.suffix == ".py" or is_template) and not SKIPPED.intersection(folders):
            yield path


def texts(path: Path) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """The texts of one file as ``(msgid or (singular, plural), context)``."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        content = _template_as_code(content, path)
    for _line, message, _comments, context in extract("python", BytesIO(content.encode()), keywords=KEYWORDS):
        yield message, context


def _template_as_code(content: str, path: Path) -> str:
    """Django turns a template into calls of gettext among filler words; the extractor must not mind the indentation."""
    from django.conf import settings
    from django.utils.translation.template import templatize

    if not settings.configured:
        settings.configure()
    return "\n".join(line.strip() for line in templatize(content, origin=str(path)).splitlines()) + "\n"


def collect(paths: Iterable[Path]) -> Catalog:
    """A catalogue with every text of ``paths`` and no translation."""
    catalogue = Catalog(locale="zh_Hans", project="dealercrm", version="1", fuzzy=False, charset="utf-8")
    catalogue.header_comment = "# Simplified Chinese translations of dealercrm; kept up to date by `make messages`."
    for path in paths:
        for message, context in texts(path):
            catalogue.add(message, context=context)
    return catalogue


def load(path: Path) -> Catalog:
    """The catalogue in ``path``, empty when there is none yet."""
    if not path.exists():
        return Catalog(locale="zh_Hans")
    with path.open("rb") as stream:
        return read_po(stream, locale="zh_Hans")


def merged(fresh: Catalog, known: Catalog) -> Catalog:
    """``fresh`` with the translations of ``known``."""
    by_key = {_key(message): message for message in _messages(known)}
    for message in _messages(fresh):
        if before := by_key.get(_key(message)):
            message.string = before.string if before.pluralizable == message.pluralizable else _shape(before, message)
            message.flags |= before.flags & {"fuzzy"}
            message.user_comments = before.user_comments
    return fresh


def _shape(before: Message, now: Message) -> str | tuple[str, ...]:
    text = _strings(before)[0]
    return (text,) if now.pluralizable else text


def render(catalogue: Catalog) -> str:
    """The text of the file, the same for the same content."""
    stream = BytesIO()
    write_po(stream, catalogue, width=0, no_location=True, sort_output=True, ignore_obsolete=True)
    return NOISY_HEADER.sub("", stream.getvalue().decode())


def problems(fresh: Catalog, known: Catalog) -> list[str]:
    """What is wrong with ``known`` as the translation of ``fresh``, one sentence each."""
    by_key = {_key(message): message for message in _messages(known)}
    wanted = {_key(message) for message in _messages(fresh)}
    found = []
    for message in sorted(_messages(fresh), key=lambda message: _key(message)[0]):
        text = _key(message)[0]
        translation = by_key.get(_key(message))
        if translation is None or not all(_strings(translation)):
            found.append(f"missing: {text}")
        elif translation.fuzzy:
            found.append(f"fuzzy: {text}")
        elif any(_placeholders(string) != _original_placeholders(message) for string in _strings(translation)):
            found.append(f"other placeholders than the original: {text}")
    found += [f"obsolete: {key[0]}" for key in sorted(by_key.keys() - wanted, key=str)]
    return found


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def _key(message: Message) -> Key:
    return (message.id if isinstance(message.id, str) else message.id[0], message.context)


def _strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text.replace("%%", "")))


def _original_placeholders(message: Message) -> set[str]:
    # Chinese has one form for all numbers; it stands for the plural, which names the number.
    return _placeholders(message.id if isinstance(message.id, str) else message.id[-1])


def compile_catalogue(path: Path) -> None:
    """Write the ``.mo`` beside ``path`` unless it already says the same."""
    stream = BytesIO()
    write_mo(stream, load(path))
    target = path.with_suffix(".mo")
    if not target.exists() or target.read_bytes() != stream.getvalue():
        target.write_bytes(stream.getvalue())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Update, check or compile the Chinese translations.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="change nothing; fail when anything is not translated")
    group.add_argument("--compile", action="store_true", help="only write the .mo file")
    options = parser.parse_args(arguments)
    if not options.compile:
        fresh, known = collect(sources(ROOT)), load(CATALOGUE)
        if options.check:
            found = problems(fresh, known)
            print("\n".join(found) or f"{len(fresh)} texts, all translated")
            return 1 if found else 0
        text = render(merged(fresh, known))
        CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
        CATALOGUE.write_text(text, encoding="utf-8")
        print("\n".join(problems(fresh, load(CATALOGUE))) or f"{len(fresh)} texts, all translated")
    compile_catalogue(CATALOGUE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
