"""Writes about people and their own settings."""

from accounts.choices import Language
from accounts.models import User


def choose_language(*, user: User, language: str) -> None:
    """Keep the language in which a person wants to read. Raises ``ValueError`` for one that is not offered."""
    user.language = Language(language)
    user.save(update_fields=["language"])
