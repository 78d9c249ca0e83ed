"""What is wished on a festival (domain §3.2, FE): the words of a placeholder, since a festival is a row of no rule."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from followups.trigger_words import FESTIVALS
from followups.triggers.lunar import FESTIVAL_STEPS

_FESTIVAL_OF_STEP = {step: name for name, step in FESTIVAL_STEPS.items()}
_NAMES = dict(FESTIVALS) | {"women": _("Women's Day")}


def wishes(trigger: str, step: int) -> str:
    """Return what is wished, in the active language, after "all of us at the store …".

    ``step`` is the touch point's, by which a festival is known. On the day of mourning nobody is wished happiness: the
    care plan has a reminder there. For any other contact it is a general wish.
    """
    festival = _FESTIVAL_OF_STEP.get(step) if trigger == "festival" else None
    if festival is None:
        return gettext("send you our best wishes")
    if festival == "qingming":
        return gettext("ask you to drive with care on the rainy roads of these days of remembrance")
    return gettext("wish you a happy %(festival)s and safe journeys") % {"festival": _NAMES[festival]}
