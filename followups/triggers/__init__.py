"""The kinds of triggers. To add one: write a module with a ``Trigger`` subclass and list the class here."""

from followups.triggers.base import Trigger
from followups.triggers.cars import (
    Delivery,
    FirstService,
    InspectionEnd,
    PeriodicService,
    PolicyEnd,
    ServiceMonth,
    ThreeGuaranteesEnd,
    WarrantyEnd,
    WarrantyNear,
)
from followups.triggers.people import (
    Birthday,
    Festival,
    PersonalEventDay,
    RegularFollowUp,
    Season,
    Silence,
    TierContact,
)
from followups.triggers.visits import HandOver, SuggestedWorkOpen

TRIGGERS: dict[str, Trigger] = {
    trigger.code: trigger()
    for trigger in (
        Delivery,
        TierContact,
        RegularFollowUp,
        FirstService,
        ServiceMonth,
        PeriodicService,
        HandOver,
        SuggestedWorkOpen,
        Birthday,
        Festival,
        PersonalEventDay,
        PolicyEnd,
        InspectionEnd,
        WarrantyNear,
        WarrantyEnd,
        ThreeGuaranteesEnd,
        Season,
        Silence,
    )
}
