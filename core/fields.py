"""Field types shared by all apps."""

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache
def _cipher(keys: tuple[str, ...], secret_key: str) -> MultiFernet:
    if not keys:
        # A trial has no key of its own; production refuses to start without one (see settings).
        keys = (base64.urlsafe_b64encode(hashlib.sha256(secret_key.encode()).digest()).decode(),)
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """Return the cipher of ``FIELD_ENCRYPTION_KEYS``: the first key encrypts, all of them decrypt."""
    return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS), settings.SECRET_KEY)


def keyed_digest(text: str) -> str:
    """Return a digest by which equal encrypted values are found; the empty text has none.

    A plain hash of an ID number could be undone by trying them all, so a key goes in: the last (oldest) of
    ``FIELD_ENCRYPTION_KEYS``, which stays when a new key is put in front. Dropping that key means computing the
    digests anew.
    """
    if not text:
        return ""
    keys = settings.FIELD_ENCRYPTION_KEYS
    key = keys[-1] if keys else settings.SECRET_KEY
    return hmac.new(f"digest:{key}".encode(), text.encode(), hashlib.sha256).hexdigest()


class EncryptedTextField(models.TextField):
    """Text that is encrypted at rest (domain §1, class S). It cannot be filtered on, and the empty string stays empty.

    Raises ``ImproperlyConfigured`` on reading a value that none of the configured keys can open: a lost key must be
    seen at once, not shown as an empty field.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if not value:
            return value
        return cipher().encrypt(value.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"{self.model.__name__}.{self.name} was encrypted with a key that is not in FIELD_ENCRYPTION_KEYS."
            ) from error
