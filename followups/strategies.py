"""What to keep in mind with a kind of customer: a text for the car's age band, one for its use (domain §2.1, §2.2)."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vehicles.choices import AgeBand, Use

BY_AGE_BAND: dict[str, Promise] = {
    AgeBand.IN_WARRANTY: _("Guide and fix the habit of returning; build trust."),
    AgeBand.MID_AGE: _("Key group: contact actively, clear process and price, win loyalty with points and offers."),
    AgeBand.OUT: _("Do not give up: find a new interest, special policy for old cars, accident service, trade-in."),
}
BY_USE: dict[str, Promise] = {
    Use.PRIVATE: _("Personal and respectful: explain work and price clearly, show understanding."),
    Use.OFFICIAL: _("Careful work, strict quality check, several inspections, one named contact."),
    Use.COMMERCIAL: _("Fast lane and short waiting, strict quality, a fair price."),
}


def strategies_for(*, age_band: str | None, use: str) -> list[Promise]:
    """Return the texts for a car, the use first; an unknown age band adds none."""
    return [text for text in (BY_USE.get(use), BY_AGE_BAND.get(age_band or "")) if text is not None]
