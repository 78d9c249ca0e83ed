"""What fields of this app accept."""

from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Raise ``ValidationError`` unless the IANA list has the name; the night of a store hangs on it."""
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is no time zone. Write it as Asia/Shanghai or Europe/Berlin."),
            code="time_zone",
            params={"name": name},
        )
