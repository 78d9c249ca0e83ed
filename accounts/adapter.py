from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from core.fields import cipher

FERNET_MARK = "gAAAA"  # how every Fernet token begins: its version, and a time before the year 2106


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs themselves up: staff are added by an administrator."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class MFAAdapter(DefaultMFAAdapter):
    """Secrets of the second step are encrypted at rest, like sensitive fields of customers."""

    def encrypt(self, text: str) -> str:
        return cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret; one that was kept before secrets were encrypted comes back as it is.

        Raises ``InvalidToken`` for a secret that none of the configured keys opens.
        """
        if not encrypted_text.startswith(FERNET_MARK):
            return encrypted_text
        return cipher().decrypt(encrypted_text.encode()).decode()
