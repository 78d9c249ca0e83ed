"""Reads ``care_plan.toml``, the care plan as it is delivered, into rows of the database."""

import tomllib
from pathlib import Path
from typing import Any

CARE_PLAN_FILE = Path(__file__).with_name("care_plan.toml")


def read_care_plan(path: Path = CARE_PLAN_FILE) -> list[dict[str, Any]]:
    """Return the rules of the file as field values of ``CareRule``, in the order of the file.

    Raises ``KeyError`` for a rule without a required key and ``tomllib.TOMLDecodeError`` for a broken file.
    """
    with path.open("rb") as file:
        rules = tomllib.load(file)["rule"]
    return [
        {
            "code": rule["code"],
            "position": position,
            "name_zh": rule["name_zh"],
            "name_en": rule["name_en"],
            "trigger": rule["trigger"],
            "offsets": rule.get("offsets", []),
            "offset_unit": rule.get("unit", "days"),
            "repeat_every": rule.get("repeat_every"),
            "params": rule.get("params", {}),
            "early_days": rule.get("early", 0),
            "late_days": rule.get("late", 0),
            "shift": rule.get("shift", "later"),
            "owner_role": rule["owner"],
            "handling": rule.get("handling", "contact"),
            "channels": rule["channels"],
            "rotates_channels": rule.get("rotates_channels", False),
            "priority": rule["priority"],
            "care_class": rule["class"],
            "covered_days": rule.get("covered_days"),
            "ignores_gap": rule.get("ignores_gap", False),
            "is_held_by_complaint": rule.get("held_by_complaint", False),
            "points_zh": rule["points_zh"].strip(),
            "points_en": rule["points_en"].strip(),
            "is_active": rule.get("active", True),
        }
        for position, rule in enumerate(rules)
    ]


def load_care_plan(care_rule: Any) -> int:
    """Add the rules of the file that the group's plan lacks, and return how many; existing rows stay as they are.

    ``care_rule`` is the model class, as migrations have their own.
    """
    present = set(care_rule.objects.filter(store=None).values_list("code", flat=True))
    missing = [care_rule(**values) for values in read_care_plan() if values["code"] not in present]
    care_rule.objects.bulk_create(missing)
    return len(missing)
