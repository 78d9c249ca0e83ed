"""From the cells of one row to a customer and a car, with everything that is wrong with them in words."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from accounts.models import Store
from customers.choices import BirthdayCalendar, Channel, CustomerKind, DoNotContact
from customers.rules import (
    birthday_of_resident_id,
    is_credit_code,
    is_email,
    is_mobile,
    is_phone,
    is_resident_id,
    is_wechat,
    normalise_id_number,
    normalise_phone,
    read_birthday,
    relation_tier,
    salutation_of_resident_id,
)
from service.importing.cells import UnreadableCell, date_of, number_text_of, text_of, whole_number_of
from service.importing.columns import ColumnMap, plain
from service.importing.reading import Cell, Row
from service.importing.words import CHOICES, read_wish
from vehicles.choices import InspectionSource, PlateKind, PolicyKind
from vehicles.rules import (
    MAX_KM,
    PlateProblem,
    energy_of_plate,
    has_right_check_digit,
    is_vin,
    normalise_vin,
    read_plate,
)

ValueT = TypeVar("ValueT")
EARLIEST = date(1950, 1, 1)
LATEST_YEARS_AHEAD = 30
STAFF = ("sales_consultant", "service_adviser", "care_specialist")
_ORGANISATION = re.compile(
    r"(?:公司|集团|工厂|厂|委员会|管理局|公安局|事务所|合作社|医院|大学|学校|中心|银行|Ltd\.?|Inc\.?)$"
)
_PARTS_OF_A_CAR = ("plate", "engine_no", "purchase_on", "delivery_on", "registered_on", "odometer_km")


@dataclass(frozen=True)
class CatalogueKey:
    """What makes an entry of the catalogue one: see ``vehicles.CarModel``."""

    brand: str
    series: str
    year: int | None
    trim: str


@dataclass
class ParsedRow:
    """What a row says. ``customer`` and ``car`` hold the fields that are given, by the names of the models."""

    source: Row
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    number: str = ""
    customer: dict[str, Any] = field(default_factory=dict)
    # Taken where the file of the customer or car is still empty.
    customer_hints: dict[str, Any] = field(default_factory=dict)
    # Beside "do not contact" among the fields: channels refused, and the reason that the cell gives.
    refused_channels: tuple[Channel, ...] = ()
    refusal_reason: str = ""
    staff: dict[str, str] = field(default_factory=dict)
    contact: tuple[str, str, str] | None = None
    vin: str = ""
    car: dict[str, Any] = field(default_factory=dict)
    car_hints: dict[str, Any] = field(default_factory=dict)
    catalogue: CatalogueKey | None = None
    readings: list[tuple[date | None, int]] = field(default_factory=list)
    policies: list[tuple[PolicyKind, date, str]] = field(default_factory=list)


@dataclass(frozen=True)
class RowParser:
    """Reads the rows of one file for one store as of one business date."""

    headers: Sequence[str]
    columns: ColumnMap
    store: Store
    on: date

    def parse(self, source: Row) -> ParsedRow:
        """Return what a row says; nothing is raised, what is wrong stands in ``problems``."""
        row = _RowReader(self, ParsedRow(source))
        row.read_store()
        row.read_customer()
        row.read_contact_data()
        row.read_identity()
        row.read_birthday()
        row.read_wishes()
        row.read_car()
        row.drop_hints_that_are_said()
        return row.row


class _RowReader:
    """One row while it is read."""

    def __init__(self, parser: RowParser, row: ParsedRow) -> None:
        self.parser = parser
        self.row = row

    # --- Cells -------------------------------------------------------------------------------------------------

    def cell(self, name: str) -> Cell:
        position = self.parser.columns.positions.get(name)
        cells = self.row.source.cells
        return cells[position] if position is not None and position < len(cells) else None

    def _named(self, name: str, problem: str) -> str:
        return _("%(column)s: %(problem)s") % {
            "column": self.parser.headers[self.parser.columns.positions[name]],
            "problem": problem,
        }

    def problem(self, name: str, problem: str) -> None:
        self.row.problems.append(self._named(name, problem))

    def warning(self, name: str, problem: str) -> None:
        self.row.warnings.append(self._named(name, problem))

    def _read(self, name: str, reader: Callable[[Cell], ValueT]) -> ValueT | None:
        try:
            return reader(self.cell(name))
        except UnreadableCell as error:
            self.problem(name, str(error))
            return None

    def text(self, name: str, limit: int) -> str:
        text = text_of(self.cell(name))
        if len(text) > limit:
            self.problem(name, _("longer than %(limit)d characters") % {"limit": limit})
            return ""
        return text

    def number_text(self, name: str) -> str:
        return self._read(name, number_text_of) or ""

    def whole_number(self, name: str, largest: int) -> int | None:
        return self._read(name, lambda cell: whole_number_of(cell, largest=largest))

    def past_date(self, name: str) -> date | None:
        day = self._read(name, date_of)
        if day is not None and not EARLIEST <= day <= self.parser.on:
            in_future = day > self.parser.on
            self.problem(
                name,
                (_("%(day)s is in the future") if in_future else _("%(day)s is too long ago")) % {"day": day},
            )
            return None
        return day

    def any_date(self, name: str) -> date | None:
        day = self._read(name, date_of)
        if day is not None and not EARLIEST.year <= day.year <= self.parser.on.year + LATEST_YEARS_AHEAD:
            self.problem(name, _("%(day)s cannot be right") % {"day": day})
            return None
        return day

    def word(self, name: str) -> Any:
        """The choice that a word means; None for an empty cell and, with a warning, for an unknown word."""
        text = text_of(self.cell(name))
        if not text:
            return None
        value = CHOICES[name].get(plain(text))
        if value is None:
            self.warning(name, _("“%(text)s” is not known here and was left out") % {"text": text})
        return value

    def take_words(self, target: dict[str, Any], names: Sequence[str]) -> None:
        for name in names:
            value = self.word(name)
            # "Unknown" and "any time" say no more than an empty cell.
            if value not in (None, ""):
                target[name] = value

    def take_texts(self, target: dict[str, Any], limits: dict[str, int]) -> None:
        for name, limit in limits.items():
            if text := self.text(name, limit):
                target[name] = text

    def drop_hints_that_are_said(self) -> None:
        """Keep of the hints what the row does not say itself: a sole trader with a credit code is a person still."""
        row = self.row
        row.customer_hints = {name: hint for name, hint in row.customer_hints.items() if row.customer.get(name) is None}
        row.car_hints = {name: hint for name, hint in row.car_hints.items() if row.car.get(name) is None}

    # --- The customer ------------------------------------------------------------------------------------------

    def read_store(self) -> None:
        text = text_of(self.cell("store"))
        if text and plain(text) not in (plain(self.parser.store.code), plain(self.parser.store.name)):
            self.problem("store", _("the row is not of store %(store)s") % {"store": self.parser.store.code})

    def read_customer(self) -> None:
        customer = self.row.customer
        self.row.number = self.number_text("number")
        if len(self.row.number) > 20:
            self.problem("number", _("longer than %(limit)d characters") % {"limit": 20})
        self.take_texts(customer, {"name": 60, "address_detail": 300, "note": 2000})
        self.take_words(customer, ["kind", "salutation", "source"])
        region = [text_of(self.cell(f"address_{part}")) for part in ("province", "city", "district")]
        # A municipality is its own province: 上海市 上海市 浦东新区.
        parts = [part for index, part in enumerate(region) if part and part not in region[:index]]
        if region_text := "".join(parts) or re.sub(r"[/\s-]+", "", text_of(self.cell("address_region"))):
            customer["address_region"] = region_text[:80]
        for name in STAFF:
            if text := self.text(name, 60):
                self.row.staff[name] = text
        if "kind" not in customer and _ORGANISATION.search(customer.get("name", "")):
            self.row.customer_hints["kind"] = CustomerKind.ORGANISATION
        if contact := self.text("contact_person", 60):
            mobile = normalise_phone(self.number_text("contact_mobile"))
            if mobile and not is_phone(mobile):
                self.problem("contact_mobile", _("“%(text)s” is not a phone number") % {"text": mobile})
            self.row.contact = (contact, self.text("contact_role", 60), mobile[:30])

    def read_contact_data(self) -> None:
        customer = self.row.customer
        numbers = self._phone_numbers("mobile")
        mobiles = [number for number in numbers if is_mobile(number)]
        others = [number for number in numbers if not is_mobile(number)]
        if mobiles:
            customer["mobile"] = mobiles[0]
        elif others:
            self.warning("mobile", _("%(number)s is not a mobile; kept as other phone") % {"number": others[0]})
        others = self._phone_numbers("other_phone") + others + mobiles[1:]
        if others:
            customer["other_phone"] = others[0]
        email = self.text("email", 254)
        if email and not is_email(email):
            self.problem("email", _("“%(text)s” is not an e-mail address") % {"text": email})
        elif email:
            customer["email"] = email
        wechat = self.number_text("wechat")
        if wechat and is_wechat(wechat, mobile=customer.get("mobile", "")):
            customer["wechat"] = wechat
        elif wechat:
            self.warning("wechat", _("“%(text)s” is not a WeChat ID and was left out") % {"text": wechat})

    def _phone_numbers(self, name: str) -> list[str]:
        """The numbers of a cell, which may hold several; each that is none is a problem."""
        numbers = []
        for part in re.split(r"[/;,、|，；]", self.number_text(name)):
            number = normalise_phone(part)
            if number and not is_phone(number):
                self.problem(name, _("“%(text)s” is not a phone number") % {"text": part.strip()})
            elif number:
                numbers.append(number)
        return numbers

    def read_identity(self) -> None:
        customer, hints = self.row.customer, self.row.customer_hints
        id_type = text_of(self.cell("id_type"))
        number = normalise_id_number(self.number_text("id_number"))
        code = normalise_id_number(self.number_text("credit_code"))
        # One resident ID in 31 is a credit code by its check sign, too.
        is_code = is_credit_code(number) and not is_resident_id(number, on=self.parser.on)
        if number and (is_code or re.search("信用代码|credit", id_type, re.IGNORECASE)):
            number, code = "", number
        if code:
            self._take_credit_code(code)
        if not number:
            return
        if id_type and not re.search("身份证|居民|resident", id_type, re.IGNORECASE):
            if re.fullmatch(r"[A-Z0-9()/]{5,30}", number):
                customer["id_number"] = number
            else:
                self.problem("id_number", _("“%(text)s” is not an ID number") % {"text": _masked(number)})
        elif is_resident_id(number, on=self.parser.on):
            customer["id_number"] = number
            born = birthday_of_resident_id(number)
            hints |= {"birthday_year": born.year, "birthday_month": born.month, "birthday_day": born.day}
            hints["salutation"] = salutation_of_resident_id(number)
        else:
            self.problem(
                "id_number",
                _("“%(text)s” is not a resident ID: 18 characters, real birth date, right check digit")
                % {"text": _masked(number)},
            )

    def _take_credit_code(self, code: str) -> None:
        if is_credit_code(code):
            self.row.customer["credit_code"] = code
            self.row.customer_hints["kind"] = CustomerKind.ORGANISATION
        else:
            name = "credit_code" if text_of(self.cell("credit_code")) else "id_number"
            self.problem(name, _("“%(text)s” is not a unified social credit code") % {"text": code})

    def read_birthday(self) -> None:
        calendar = self.word("birthday_calendar")
        cell = self.cell("birthday")
        text = text_of(cell)
        if not text or text in ("-", "/", "无"):
            return
        # A serial of the spreadsheet, as in any date column; 0304 and 19850304 are no serials.
        if re.fullmatch(r"\d{5}(\.\d+)?", text):
            serial = self._read("birthday", date_of)
            text = serial.isoformat() if serial else text
        birthday = read_birthday(text, on=self.parser.on, calendar=calendar and BirthdayCalendar(calendar))
        if birthday is None:
            self.problem("birthday", _("“%(text)s” is not a birthday that exists") % {"text": text})
            return
        self.row.customer |= {
            "birthday_calendar": birthday.calendar,
            "birthday_year": birthday.year,
            "birthday_month": birthday.month,
            "birthday_day": birthday.day,
            "is_birthday_leap_month": birthday.is_leap_month,
        }

    def read_wishes(self) -> None:
        customer = self.row.customer
        self.read_do_not_contact()
        self.take_words(customer, ["preferred_channel", "preferred_slot"])
        self.take_words(customer, ["communication", "network", "referral_willingness", "tier"])
        criteria = [customer.get(name) for name in ("communication", "network", "referral_willingness")]
        if "tier" not in customer and None not in criteria:
            customer["tier"] = relation_tier(*criteria)

    def read_do_not_contact(self) -> None:
        """In doubt nobody enters as welcoming contact: a word that is not understood stops the row (domain §11.2)."""
        text = text_of(self.cell("do_not_contact"))
        if not plain(text) and text in ("", "-", "--", "/", "\\", "—", "——"):
            return
        wish = read_wish(text)
        if wish is None:
            self.problem(
                "do_not_contact",
                _(
                    "“%(text)s” does not tell whether the customer may be contacted; write yes, no, marketing, "
                    "or the channel that is refused, such as SMS"
                )
                % {"text": text},
            )
            return
        if wish.level != DoNotContact.NONE or not wish.refused:
            self.row.customer["do_not_contact"] = wish.level
        self.row.refused_channels, self.row.refusal_reason = wish.refused, wish.reason

    # --- The car -----------------------------------------------------------------------------------------------

    def read_car(self) -> None:
        vin = normalise_vin(text_of(self.cell("vin")))
        if not vin:
            if any(text_of(self.cell(name)) for name in _PARTS_OF_A_CAR):
                self.row.problems.append(_("There is a car, but its VIN is missing."))
            return
        if not is_vin(vin):
            self.problem("vin", _("“%(vin)s” is not a VIN: 17 letters and digits without I, O and Q.") % {"vin": vin})
            return
        if not has_right_check_digit(vin):
            self.warning("vin", _("the check digit of %(vin)s is wrong") % {"vin": vin})
        self.row.vin = vin
        self.read_plate()
        self.read_car_details()
        self.read_car_dates()
        self.read_mileage()
        self.read_catalogue()

    def read_plate(self) -> None:
        car = self.row.car
        kind = self.word("plate_kind")
        text = self.text("plate", 40)
        plate = read_plate(text)
        if isinstance(plate, PlateProblem):
            self.problem("plate", _PLATE_PROBLEMS[plate]() % {"plate": text})
            return
        if plate.number:
            car["plate"] = plate.number
            if energy := energy_of_plate(plate):
                self.row.car_hints["energy"] = energy
        if plate.kind and (plate.kind != PlateKind.BLUE or not kind):
            kind = plate.kind
        if kind:
            car["plate_kind"] = kind

    def read_car_details(self) -> None:
        car = self.row.car
        self.take_words(car, ["energy", "use", "is_minivan", "status"])
        self.take_texts(car, {"body_colour": 20, "interior_colour": 20})
        for name, shape in _NUMBER_SHAPES.items():
            text = re.sub(r"\s", "", self.number_text(name)).upper()
            if text and re.fullmatch(shape, text):
                car[name] = text
            elif text:
                self.warning(name, _("“%(text)s” has an unusual form and was left out") % {"text": text[:40]})
        seats = self.whole_number("seats", 99)
        if seats:
            car["seats"] = seats

    def read_car_dates(self) -> None:
        car, row = self.row.car, self.row
        for name in ("purchase_on", "delivery_on", "registered_on", "first_service_done_on", "last_service_on"):
            if day := self.past_date(name):
                car[name] = day
        visit = self.past_date("last_visit_on")
        last_visit = max((day for day in (visit, car.get("last_service_on")) if day), default=None)
        if last_visit:
            car["last_visit_on"] = last_visit
        delivery, purchase = car.get("delivery_on"), car.get("purchase_on")
        if delivery and purchase and delivery < purchase:
            self.warning("delivery_on", _("the car was delivered before it was bought"))
        if day := self.any_date("inspection_valid_until"):
            car |= {"inspection_valid_until": day, "inspection_source": InspectionSource.LICENCE}
        insurer = self.text("insurer", 60)
        for name, kind in (
            ("compulsory_ends_on", PolicyKind.COMPULSORY),
            ("commercial_ends_on", PolicyKind.COMMERCIAL),
        ):
            if day := self.any_date(name):
                row.policies.append((kind, day, insurer))

    def read_mileage(self) -> None:
        car, row = self.row.car, self.row
        service_km = self.whole_number("last_service_km", MAX_KM)
        if service_km is not None and "last_service_on" in car:
            car["last_service_km"] = service_km
            row.readings.append((car["last_service_on"], service_km))
        km = self.whole_number("odometer_km", MAX_KM)
        read_on = self.past_date("odometer_on")
        if km is not None:
            row.readings.append((read_on or car.get("last_visit_on"), km))

    def read_catalogue(self) -> None:
        brand, series, trim = self.text("brand", 40), self.text("series", 60), self.text("trim", 80)
        model_name = self.text("model_name", 120)
        match = re.search(r"(?<!\d)(?:19|20)\d{2}(?!\d)", f"{text_of(self.cell('model_year'))} {model_name}")
        year = int(match[0]) if match else None
        words = re.sub(r"(?<!\d)(?:19|20)\d{2}\s*款", " ", model_name).replace("/", " ").split()
        if words and words[0] == brand:
            words = words[1:]
        if words and not brand and not series and len(words) > 1:
            brand = words.pop(0)[:40]
        if words and not series:
            series = words.pop(0)[:60]
        if not trim:
            trim = " ".join(word for word in words if word != series)[:80]
        if brand or series:
            self.row.catalogue = CatalogueKey(brand, series or brand, year, trim)


def _masked(number: str) -> str:
    """An ID number in a message: its ends alone."""
    return f"{number[:3]}…{number[-2:]}" if len(number) > 8 else number


_NUMBER_SHAPES = {
    "engine_no": r"[A-Z0-9*\-]{5,20}",
    "gearbox_no": r"[A-Z0-9*\-]{4,20}",
    "battery_code": r"[A-Z0-9]{24}",
}
_PLATE_PROBLEMS: dict[PlateProblem, Callable[[], str]] = {
    PlateProblem.PROVINCE: lambda: _("“%(plate)s” does not begin with a province, as plates do"),
    PlateProblem.LENGTH: lambda: _("“%(plate)s” has not the 7 or 8 characters of a plate"),
    PlateProblem.CHARACTERS: lambda: _("“%(plate)s” has characters that a plate does not have there"),
}
