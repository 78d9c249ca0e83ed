"""The same night written by hand: plain SQL for one fixed plan, with no rules table, querysets or shared code.

It is the yardstick of the benchmark. It makes the same rows as the planner (the benchmark compares them), suppression,
assignment and merging included, for the rules that the invented fleet has facts for.
"""

from calendar import monthrange
from datetime import date, timedelta

from django.db import connection
from lunar_python import Solar

CALL = "phone"
CARE = ["phone", "sms", "wechat", "visit", "letter", "email"]


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


class Night:
    """One night, by hand."""

    def __init__(self, on: date) -> None:
        self.on = on
        with connection.cursor() as cursor:
            cursor.execute("SELECT day, is_working FROM core_calendarday")
            self.exceptions = dict(cursor.fetchall())
            cursor.execute("SELECT code, id FROM followups_carerule")
            self.rules = dict(cursor.fetchall())
            cursor.execute("SELECT min(delivery_on) FROM vehicles_vehicle")
            self.oldest = cursor.fetchone()[0]

    def works(self, day: date) -> bool:
        return self.exceptions.get(day, day.weekday() < 5)

    def due(self, nominal: date, anchor: date, shift: str) -> date:
        if shift == "later":
            while not self.works(nominal):
                nominal += timedelta(1)
        elif shift == "earlier":
            day = nominal
            while day > anchor:
                if self.works(day):
                    return day
                day -= timedelta(1)
        return nominal

    def opening(self, offsets: list[int], unit: str, early: int, shift: str) -> list[tuple[date, int, date, date]]:
        """Anchor, step, nominal and due date of the windows that open tonight."""
        found = []
        for back in range(-12, 13):
            nominal = self.on + timedelta(early + back)
            for step in offsets:
                if unit == "days":
                    anchors = [nominal - timedelta(step)]
                else:
                    about = add_months(nominal, -step)
                    near = (about + timedelta(n) for n in range(-3, 5))
                    anchors = [anchor for anchor in near if add_months(anchor, step) == nominal]
                for anchor in anchors:
                    due = self.due(nominal, anchor, shift)
                    if due - timedelta(early) == self.on:
                        found.append((anchor, step, nominal, due))
        return found

    def insert(self, code: str, source: str, key: str, dates, *, late: int, early: int, owner: str, channels: list[str],
               priority: int, cls: str, vehicle: str = "v.id", floor: str = "v.care_from", cycle: str = "NULL::date",
               covered: int = 0, gap: bool = True, held: bool = False, turn: bool = False, handling: str = "contact",
               extra: str = "", key_type: str = "date") -> None:  # fmt: skip
        if not dates:
            return
        marketing = cls == "M"
        nobody = handling in ("list", "form")
        n = len(channels)
        texts = "ARRAY[" + ",".join(f"'{c}'" for c in channels) + "]::text[]"
        messages = "ARRAY['sms','wechat','email','app','wecom']"
        limited = marketing and gap
        facts, order = "", "u.ch = c.preferred_channel DESC, u.n"
        if turn:
            facts = f"""LEFT JOIN LATERAL (
        SELECT COALESCE(array_position({texts}, l.channel::text), array_position({texts}, t.channel::text)) AS n
        FROM followups_touchpoint t LEFT JOIN followups_contactlog l ON l.id = t.settled_by_id
        WHERE t.rule_id = {self.rules[code]} AND t.customer_id = c.id AND t.nominal_on < h.nominal
          AND t.status NOT IN ('suppressed', 'cancelled') ORDER BY t.nominal_on DESC LIMIT 1) last ON true"""
            order = f"(u.n - 1 - COALESCE(last.n, 0) + {n}) % {n}"
        if limited:
            facts += f"""
    LEFT JOIN LATERAL (
        SELECT GREATEST(max(contact_on) + 7, (array_agg(contact_on ORDER BY contact_on DESC))[4] + 30) AS until
        FROM followups_contactlog WHERE customer_id = c.id AND is_marketing_message AND contact_on > '{self.on}'::date - 30) rest ON true"""
            order = f"COALESCE(rest.until > '{self.on}' AND u.ch = ANY({messages}), false), {order}"
        pick = f"(SELECT u.ch FROM unnest({texts}) WITH ORDINALITY u(ch, n) WHERE u.ch <> ALL(c.refused_channels) ORDER BY {order} LIMIT 1)"
        if not facts:
            pick = f"CASE WHEN c.refused_channels = '{{}}' THEN CASE WHEN c.preferred_channel = ANY({texts}) THEN c.preferred_channel ELSE '{channels[0]}' END ELSE {pick} END"
        held_sql = (
            "WHEN EXISTS (SELECT 1 FROM followups_nextstep s WHERE s.customer_id = c.id AND s.done_at IS NULL AND s.kind = 'complaint' AND s.severity IN ('L2','L3')) THEN 'open_complaint'"
            if marketing or held
            else ""
        )
        last_day = "h.closes" if handling == "contact" else f"'{self.on}'"
        limit_sql = (
            f"WHEN p.channel = ANY({messages}) AND rest.until > {last_day} THEN 'message_limit'" if limited else ""
        )
        reason = (
            "''"
            if nobody
            else f"""CASE WHEN c.do_not_contact = 'all' THEN 'do_not_contact'
            {"WHEN c.do_not_contact = 'marketing' THEN 'no_marketing'" if marketing else ""}
            WHEN p.channel IS NULL THEN 'channels_refused' {held_sql}
            {f"WHEN c.last_effective_contact_on >= h.nominal - {covered} THEN 'recent_contact'" if covered else ""}
            {"WHEN c.last_proactive_contact_on + 5 > h.closes THEN 'contact_gap'" if gap and priority > 1 else ""}
            {limit_sql} ELSE '' END"""
        )
        waits = ["NULL::date"]
        if gap and priority > 1 and handling == "contact":
            waits.append(
                f"CASE WHEN c.last_proactive_contact_on + 5 > '{self.on}' THEN c.last_proactive_contact_on + 5 END"
            )
        if limited and handling == "contact":
            waits.append(f"CASE WHEN p.channel = ANY({messages}) AND rest.until > '{self.on}' THEN rest.until END")
        wait = f"GREATEST({', '.join(waits)})::timestamp AT TIME ZONE 'Asia/Shanghai'"
        rows = []
        for key_value, step, nominal, due, anchor in dates:
            shown = f"'{key_value}'::date" if key_type == "date" else str(key_value)
            rows.append(
                f"({shown}, {step}, '{anchor}'::date, '{nominal}'::date, '{due}'::date, '{due + timedelta(late)}'::date)"
            )
        with connection.cursor() as cursor:
            cursor.execute(f"""
WITH h(key, step, anchor, nominal, due, closes) AS (VALUES {", ".join(rows)}),
found AS (
    SELECT c.store_id, c.id AS customer_id, {vehicle} AS vehicle_id, h.*, {cycle} AS cycle_on, COALESCE(p.channel, '') AS channel,
           m.user_id, {reason} AS reason, {wait} AS not_before
    FROM h JOIN {source} AND {key} = h.key
    {facts}
    CROSS JOIN LATERAL (SELECT {pick} AS channel) p
    LEFT JOIN (SELECT DISTINCT user_id, store_id FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id AND u.is_active
               WHERE m.is_active AND NOT (m.absent_from IS NOT NULL AND m.absent_from <= '{self.on}' AND (m.absent_until IS NULL OR m.absent_until >= '{self.on}'))) m
        ON m.user_id = {owner} AND m.store_id = c.store_id
    WHERE c.status = 'active' AND h.closes >= GREATEST(c.entered_on, {floor}) {extra}
), made AS (
    INSERT INTO followups_touchpoint (store_id, rule_id, customer_id, vehicle_id, step, anchor_on, cycle_on, nominal_on, due_on,
        opens_on, closes_on, priority, handling, channel, assignee_id, status, reason, not_before, attempts, closed_on)
    SELECT store_id, {self.rules[code]}, customer_id, vehicle_id, step, anchor, cycle_on, nominal, due, due - {early}, closes,
        {priority}, '{handling}', channel, user_id, CASE WHEN reason <> '' THEN 'suppressed' ELSE 'open' END, reason,
        CASE WHEN reason = '' THEN not_before END, 0, CASE WHEN reason <> '' THEN '{self.on}'::date END
    FROM found ON CONFLICT DO NOTHING RETURNING customer_id, status
)
INSERT INTO hand_affected SELECT customer_id FROM made WHERE status = 'open' {"AND false" if nobody else ""}""")

    def run(self) -> None:
        """Make the night's touch points."""
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE IF NOT EXISTS hand_affected (customer_id bigint) ON COMMIT DELETE ROWS; TRUNCATE hand_affected"
            )
            cursor.execute(
                "UPDATE followups_touchpoint SET status = 'missed', reason = 'window_passed', closed_on = %s, lead_id = NULL WHERE closes_on < %s AND status IN ('open', 'merged') AND closed_on IS NULL",
                [self.on, self.on],
            )
        owned = " JOIN customers_customer c ON c.id = v.owner_id"

        def car(column: str, where: str = "") -> str:
            return f"vehicles_vehicle v ON v.status = 'in_use' {where} AND v.{column} = h.key{owned} AND true"

        months = (self.on - self.oldest).days // 28 + 2
        sc, cr, sa = "c.sales_consultant_id", "c.care_specialist_id", "c.service_adviser_id"

        def dated(offsets, unit="days", early=0, shift="later"):
            return [(a, s, n, d, a) for a, s, n, d in self.opening(offsets, unit, early, shift)]

        def by_car(code, column, offsets, *, unit="days", early=0, late=0, shift="later", where="", **more):
            self.insert(
                code,
                car(column, where),
                f"v.{column}",
                dated(offsets, unit, early, shift),
                early=early,
                late=late,
                **more,
            )

        by_car(
            "D1",
            "delivery_on",
            [1],
            shift="earlier",
            owner=sc,
            channels=[CALL, "wechat"],
            priority=1,
            cls="S",
            gap=False,
        )
        by_car(
            "D3",
            "delivery_on",
            [3],
            early=1,
            shift="earlier",
            owner=sc,
            channels=[CALL, "visit"],
            priority=1,
            cls="S",
            gap=False,
        )
        by_car(
            "D0",
            "delivery_on",
            [0],
            shift="stay",
            owner=sc,
            channels=["form"],
            priority=1,
            cls="S",
            gap=True,
            handling="form",
        )
        by_car(
            "M12k",
            "delivery_on",
            [12, 24, 36],
            unit="months",
            early=7,
            late=7,
            owner=sc,
            channels=[CALL, "card"],
            priority=2,
            cls="S+M",
        )
        by_car(
            "FS1",
            "next_service_on",
            [-14],
            late=2,
            owner=cr,
            channels=["wechat", "sms", CALL],
            priority=2,
            cls="S",
            where="AND v.next_service_kind = 'first'",
            cycle="v.next_service_from_on",
        )
        by_car(
            "FS2",
            "next_service_on",
            [-7],
            late=2,
            owner=cr,
            channels=[CALL, "wechat"],
            priority=2,
            cls="S",
            where="AND v.next_service_kind = 'first'",
            cycle="v.next_service_from_on",
        )
        by_car(
            "FS3",
            "next_service_on",
            [3],
            late=2,
            owner=cr,
            channels=[CALL, "sms"],
            priority=2,
            cls="S",
            where="AND v.next_service_kind = 'first'",
            cycle="v.next_service_from_on",
        )
        by_car(
            "FS4",
            "next_service_on",
            [15],
            late=2,
            owner="NULL::bigint",
            channels=[CALL],
            priority=2,
            cls="S",
            where="AND v.next_service_kind = 'first'",
            cycle="v.next_service_from_on",
        )
        for code, offset, channels in (
            ("PS1", -15, ["sms", "wechat", "app", CALL]),
            ("PS2", -7, [CALL, "sms"]),
            ("PS3", 7, [CALL, "sms"]),
            ("PS4", 30, [CALL, "sms"]),
        ):
            by_car(
                code,
                "next_service_on",
                [offset],
                late=3,
                owner=cr,
                channels=channels,
                priority=2,
                cls="S",
                where="AND v.next_service_kind = 'periodic'",
                cycle="v.next_service_from_on",
            )
        month_ends = [d for _, _, d, due in self.opening([0], "days", 0, "later") if (d + timedelta(1)).day == 1]
        if month_ends:
            (end,) = month_ends
            first = end + timedelta(1)
            keys = [first + timedelta(n) for n in range(monthrange(first.year, first.month)[1])]
            self.insert(
                "PS0",
                car("next_service_on"),
                "v.next_service_on",
                [(k, 0, end, self.due(end, end, "later"), k) for k in keys],
                early=0,
                late=0,
                owner=cr,
                channels=[CALL, "sms"],
                priority=2,
                cls="S",
                handling="list",
                cycle="v.next_service_from_on",
            )
        policy = (
            "vehicles_insurancepolicy i ON i.ends_on = h.key JOIN vehicles_vehicle v ON v.id = i.vehicle_id AND v.status = 'in_use'"
            f"{owned} AND NOT EXISTS (SELECT 1 FROM vehicles_insurancepolicy j WHERE j.vehicle_id = i.vehicle_id AND j.kind = i.kind AND j.ends_on > i.ends_on)"
        )
        for code, offsets in (
            ("IN1", [-45]),
            ("IN2", [-33, -30]),
            ("IN3", [-15]),
            ("IN4", [-7]),
            ("IN5", [-1]),
            ("IN6", [1]),
        ):
            self.insert(
                code,
                policy,
                "i.ends_on",
                dated(offsets),
                early=0,
                late=1,
                owner=cr,
                channels=[CALL, "wechat"],
                priority=2,
                cls="M",
            )
        by_car(
            "M3k",
            "delivery_on",
            [3, 6, 9, 15, 18, 21, 27, 30, 33],
            unit="months",
            early=7,
            late=7,
            owner=sc,
            channels=CARE,
            priority=3,
            cls="S+M",
            covered=45,
            held=True,
        )
        by_car(
            "ML",
            "delivery_on",
            list(range(39, months, 3)),
            unit="months",
            early=7,
            late=7,
            owner=sc,
            channels=CARE,
            priority=3,
            cls="M",
            held=True,
        )
        for code, tier, offsets, unit, channels, covered in (
            ("TV", "vip", list(range(14, 3700, 14)), "days", [CALL, "wechat", "visit", "card", "gift"], 7),
            ("TQ", "quality", list(range(1, months)), "months", [CALL, "wechat", "visit", "card"], 15),
            ("TO", "ordinary", list(range(3, months, 3)), "months", [CALL, "sms", "wechat"], 45),
        ):
            source = f"customers_customer c ON c.tier = '{tier}' AND c.care_anchor_on = h.key"
            dates = [each for each in dated(offsets, unit, 3) if each[0] >= self.oldest]
            self.insert(
                code,
                source,
                "c.care_anchor_on",
                dates,
                early=3,
                late=3,
                owner=sc,
                channels=channels,
                priority=3,
                cls="M",
                covered=covered,
                held=True,
                turn=True,
                vehicle="NULL::bigint",
                floor="c.entered_on",
            )
        self.birthdays(sc)
        for code, offset in (("IS1", -60), ("IS2", -30), ("IS3", -7)):
            by_car(
                code, "inspection_valid_until", [offset], late=3, owner=cr, channels=["sms", CALL], priority=3, cls="S"
            )
        by_car(
            "WE1",
            "warranty_notice_on",
            [0],
            early=7,
            late=7,
            owner=sa,
            channels=[CALL],
            priority=3,
            cls="S+M",
            cycle="v.warranty_from_on",
        )
        by_car(
            "WE2",
            "warranty_runs_out_on",
            [-30],
            early=7,
            late=7,
            owner=sa,
            channels=[CALL],
            priority=3,
            cls="S+M",
            cycle="v.warranty_from_on",
        )
        garage = (
            "SELECT min(w.care_from) AS care_from, max(w.forecast_since) AS forecast_since,"
            " max(w.next_service_on) FILTER (WHERE w.next_service_kind = 'first') + 60 AS silent_from"
            " FROM vehicles_vehicle w WHERE w.owner_id = c.id AND w.status = 'in_use'"
        )
        self.insert(
            "DW",
            "customers_customer c ON c.silent_since_on = h.key"
            f" JOIN LATERAL ({garage}) g ON g.care_from IS NOT NULL AND (h.nominal < g.silent_from) IS NOT TRUE",
            "c.silent_since_on",
            dated([6, 9, 12], "months", 7),
            early=7,
            late=7,
            owner=cr,
            channels=[CALL],
            priority=3,
            cls="M",
            vehicle="NULL::bigint",
            floor="GREATEST(g.care_from, g.forecast_since, c.last_visit_since, c.last_delivery_since,"
            " (SELECT max(o.ended_on) FROM vehicles_ownership o WHERE o.customer_id = c.id))",
        )
        owner_by = (
            "SELECT (w.delivery_on + interval '12 months')::date AS owner_from, w.care_from FROM vehicles_vehicle w"
            " WHERE w.owner_id = c.id AND w.status = 'in_use' AND w.delivery_on IS NOT NULL"
            " ORDER BY GREATEST((w.delivery_on + interval '12 months')::date, w.care_from), w.care_from LIMIT 1"
        )
        self.insert(
            "RQ",
            "customers_customer c ON c.last_effective_contact_on = h.key"
            f" JOIN LATERAL ({owner_by}) o ON h.nominal >= o.owner_from",
            "c.last_effective_contact_on",
            [each for each in dated(list(range(3, months, 3)), "months", 7) if each[0] >= self.oldest],
            early=7,
            late=7,
            owner=cr,
            channels=[CALL, "wechat"],
            priority=4,
            cls="S",
            vehicle="NULL::bigint",
            floor="o.care_from",
        )
        by_car(
            "TG",
            "three_guarantees_run_out_on",
            [-30],
            early=5,
            late=5,
            owner=cr,
            channels=["sms", "wechat"],
            priority=4,
            cls="S",
            where="AND v.use = 'private'",
            cycle="v.warranty_from_on",
        )
        tomorrow = self.due(self.on + timedelta(1), self.on, "later")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO hand_affected SELECT customer_id FROM followups_touchpoint WHERE status = 'merged' AND closed_on IS NULL AND closes_on < %s",
                [tomorrow],
            )
            # The yardstick has no need of the same stumble: see upkeep.refresh_statistics.
            cursor.execute("ANALYZE hand_affected; ANALYZE followups_touchpoint")
            cursor.execute(f"""
UPDATE followups_touchpoint t SET status = CASE WHEN x.lead = t.id THEN 'open' ELSE 'merged' END, lead_id = NULLIF(x.lead, t.id)
FROM (
    SELECT id, lead_id, first_value(id) OVER (PARTITION BY customer_id, COALESCE(closes_on >= waits_on, false)
               ORDER BY waits_until DESC NULLS LAST, closes_on >= '{tomorrow}', attempts = 0, priority, closes_on, rule_id, vehicle_id, nominal_on) AS lead
    FROM (
        SELECT id, customer_id, rule_id, vehicle_id, nominal_on, lead_id, closes_on, attempts, priority,
               CASE WHEN (not_before AT TIME ZONE 'Asia/Shanghai')::date > '{self.on}' THEN not_before END AS waits_until,
               max(CASE WHEN (not_before AT TIME ZONE 'Asia/Shanghai')::date > '{self.on}' THEN (not_before AT TIME ZONE 'Asia/Shanghai')::date END) OVER (PARTITION BY customer_id) AS waits_on
        FROM followups_touchpoint
        WHERE customer_id IN (SELECT customer_id FROM hand_affected) AND status IN ('open', 'merged') AND closed_on IS NULL
          AND handling = 'contact' AND opens_on <= '{self.on}'
    ) live
) x
WHERE t.id = x.id AND NULLIF(x.lead, t.id) IS DISTINCT FROM t.lead_id""")
            # What one person cannot do today goes to the pool.
            cursor.execute(
                """
UPDATE followups_touchpoint t SET assignee_id = NULL
FROM (
    SELECT id, rank() OVER (PARTITION BY assignee_id ORDER BY priority, closes_on, customer_id, rule_id, vehicle_id, nominal_on) AS nth
    FROM followups_touchpoint
    WHERE status = 'open' AND handling = 'contact' AND assignee_id IS NOT NULL AND opens_on <= %s AND closes_on < %s
      AND (not_before IS NULL OR (not_before AT TIME ZONE 'Asia/Shanghai')::date <= %s)
) call
WHERE call.id = t.id AND call.nth > 40""",
                [self.on, tomorrow, self.on],
            )

    def birthdays(self, owner: str) -> None:
        lunar = Solar.fromYmd(self.on.year, self.on.month, self.on.day).getLunar()
        keys = {self.on.month * 100 + self.on.day}
        month, day = lunar.getMonth(), lunar.getDay()
        if month > 0:
            keys.add(10000 + month * 100 + day)
        if (self.on.month, self.on.day) == (2, 28) and self.on.year % 4:
            keys.add(229)
        self.insert(
            "BD",
            "customers_customer c ON c.birthday_key = h.key",
            "c.birthday_key",
            [(key, 0, self.on, self.on, self.on) for key in sorted(keys)],
            early=0,
            late=0,
            owner=owner,
            channels=["sms", "wechat", "card", CALL, "visit", "gift"],
            priority=3,
            cls="M",
            gap=False,
            held=True,
            vehicle="NULL::bigint",
            floor="c.entered_on",
            key_type="integer",
        )
