"""An invented fleet of any size for the planner's benchmark, made by SQL in the database itself."""

from datetime import date

from django.db import connection

TODAY = date(2026, 11, 24)
STORES = 20
# Per store: sales consultants, service advisers, care specialists.
STAFF = {"SC": 10, "SA": 3, "CR": 4}

WORLD = """
INSERT INTO accounts_store (code, name, phone, time_zone, is_active, daily_calls, gap_days, max_retries, lease_minutes)
SELECT 'S' || g, 'Store ' || g, '', 'Asia/Shanghai', true, 40, 5, 3, 15 FROM generate_series(1, {stores}) g;

INSERT INTO accounts_user (password, is_superuser, username, email, is_staff, is_active, date_joined, name, language)
SELECT '', false, role || s || '-' || n, '', false, true, now(), role || s || '-' || n, ''
FROM generate_series(1, {stores}) s,
     (VALUES {staff}) AS r(role, people), generate_series(1, people) n;

INSERT INTO accounts_membership (user_id, store_id, role, is_active)
SELECT u.id, s.id, left(u.username, 2), true
FROM accounts_user u JOIN accounts_store s ON s.code = 'S' || split_part(substr(u.username, 3), '-', 1);

INSERT INTO customers_customer (created_at, changed_at, store_id, number, kind, status, entered_on, name, name_pinyin,
    name_initials, name_grams, salutation, mobile, is_mobile_wrong, other_phone, wechat, email, id_number,
    id_number_hash, credit_code, address_region, address_detail, language, birthday_calendar, birthday_month,
    birthday_day, is_birthday_leap_month, preferred_channel, preferred_slot, do_not_contact, do_not_contact_reason,
    refused_channels, source, sales_consultant_id, service_adviser_id, care_specialist_id, tier, note,
    last_effective_contact_on, last_proactive_contact_on, last_delivery_on)
SELECT '2020-01-01', '2020-01-01', st.id, 'C' || g, 'person', 'active', '2024-01-01', 'Customer ' || g, '', '', '{{}}',
    '', '138' || lpad(g::text, 8, '0'), false, '', '', '', '', '', '', '', '', 'zh-hans',
    CASE WHEN g % 7 = 0 THEN 'lunar' ELSE 'solar' END, 1 + g % 12, 1 + (g / 12) % 28, false,
    CASE WHEN g % 10 = 0 THEN 'wechat' ELSE '' END, '',
    CASE WHEN g % 67 = 0 THEN 'marketing' WHEN g % 101 = 0 THEN 'all' ELSE 'none' END, '',
    CASE WHEN g % 53 = 0 THEN '{{phone}}'::varchar[] ELSE '{{}}' END, '',
    sc.ids[1 + g / {stores} % array_length(sc.ids, 1)], sa.ids[1 + g / {stores} % array_length(sa.ids, 1)],
    cr.ids[1 + g / {stores} % array_length(cr.ids, 1)],
    CASE WHEN g % 100 < 8 THEN 'vip' WHEN g % 100 < 38 THEN 'quality' ELSE 'ordinary' END, '',
    CASE WHEN g % 5 < 2 THEN '{today}'::date - (g * 7) % 90 END,
    CASE WHEN g % 5 < 2 THEN '{today}'::date - (g * 7) % 90 END,
    '{today}'::date - ((g::bigint * 7919) % 3650)::int
FROM generate_series(1, {customers}) g
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM accounts_store) st ON st.place = g % {stores}
JOIN LATERAL (SELECT array_agg(user_id ORDER BY user_id) ids FROM accounts_membership
              WHERE store_id = st.id AND role = 'SC') sc ON true
JOIN LATERAL (SELECT array_agg(user_id ORDER BY user_id) ids FROM accounts_membership
              WHERE store_id = st.id AND role = 'SA') sa ON true
JOIN LATERAL (SELECT array_agg(user_id ORDER BY user_id) ids FROM accounts_membership
              WHERE store_id = st.id AND role = 'CR') cr ON true;

INSERT INTO vehicles_vehicle (created_at, changed_at, store_id, owner_id, care_from, status, vin, plate, plate_kind,
    engine_no, gearbox_no, battery_code, energy, use, seats, is_minivan, body_colour, interior_colour, purchase_on,
    delivery_on, inspection_valid_until, inspection_source, next_service_kind, next_service_on, next_service_from_on,
    warranty_from_on, warranty_ends_on, warranty_notice_on, warranty_runs_out_on,
    three_guarantees_end_on, three_guarantees_run_out_on)
SELECT '2020-01-01', '2020-01-01', c.store_id, c.id, '2024-01-01', 'in_use', 'L' || lpad(v.g::text, 16, '0'), '', '',
    '', '', '', 'petrol', CASE WHEN v.g % 12 = 0 THEN 'commercial' ELSE 'private' END, 5, false, '', '', d.day, d.day,
    '{today}'::date + ((v.g::bigint * 31) % 730)::int, 'estimate',
    CASE WHEN d.day > '{today}'::date - 100 THEN 'first' ELSE 'periodic' END,
    CASE WHEN d.day > '{today}'::date - 100 THEN d.day + 90
         ELSE '{today}'::date - 60 + ((v.g::bigint * 13) % 240)::int END,
    CASE WHEN d.day > '{today}'::date - 100 THEN d.day ELSE '{today}'::date - 180 END,
    d.day, d.day + 1095, d.day + 1005, d.day + 1095, d.day + 730, d.day + 730
FROM (SELECT g, 1 + (g - 1) % {customers} AS owner FROM generate_series(1, {cars}) g) v
JOIN customers_customer c ON c.number = 'C' || v.owner
CROSS JOIN LATERAL (SELECT '{today}'::date - ((v.g::bigint * 7919) % 3650)::int AS day) d;

INSERT INTO vehicles_insurancepolicy (created_at, changed_at, vehicle_id, kind, insurer, number, ends_on,
    is_bought_here)
SELECT '2020-01-01', '2020-01-01', id, 'compulsory', '', '', '{today}'::date - 30 + ((id * 17) % 365)::int, true
FROM vehicles_vehicle;

-- As after a night: nothing changed since, and yesterday was planned.
UPDATE core_calendardayevent SET pgh_created_at = '2020-01-01';
UPDATE followups_carerule SET active_from = NULL;
UPDATE followups_careruleevent SET pgh_created_at = '2020-01-01';
"""


def build(cars: int) -> None:
    """Fill an empty, migrated database with a fleet. Nothing in it has changed since 2020, as in a quiet night."""
    staff = ", ".join(f"('{role}', {people})" for role, people in STAFF.items())
    text = WORLD.format(stores=STORES, staff=staff, today=TODAY, cars=cars, customers=cars * 4 // 5)
    with connection.cursor() as cursor:
        cursor.execute(text)
        cursor.execute("VACUUM ANALYZE")


def reset(yesterday: date) -> None:
    """Empty the ledger and leave one completed run, of the day before."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE followups_touchpoint, core_jobrun CASCADE")
        cursor.execute(
            "INSERT INTO core_jobrun (name, store_code, business_date, status, started_at, finished_at, counts, error)"
            " VALUES ('plan_care', '', %s, 'done', now(), now(), '{}', '')",
            [yesterday],
        )
        cursor.execute("CHECKPOINT")
