"""What files, columns and cells say, in every spelling that stores have."""

import codecs
from datetime import date, datetime, timedelta

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Store
from customers.choices import BirthdayCalendar, Channel, CustomerKind, DoNotContact, Tier
from customers.rules import is_credit_code
from service.importing.batch import IdSet
from service.importing.cells import EXCEL_DAY_ZERO, UnreadableCell, date_of, number_text_of, text_of, whole_number_of
from service.importing.columns import field_of, known_columns, map_columns, plain
from service.importing.reading import Row, UnusableFile, encoding_of, read_table
from service.importing.rows import CatalogueKey, RowParser
from service.importing.words import Wish, read_wish
from tests.factories import TODAY
from tests.shared_data import shared_data
from vehicles.choices import Energy, PlateKind, PolicyKind, Use

pytestmark = pytest.mark.usefixtures("english")


@given(ids=st.sets(st.integers(0, 200_000), max_size=50), others=st.sets(st.integers(0, 200_000), max_size=50))
def test_a_set_of_ids_holds_what_was_added_and_nothing_else(ids, others):
    held = IdSet()
    for pk in ids:
        held.add(pk)
    assert {pk for pk in ids | others if pk in held} == ids


# --- Cells --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "2010-09-01",
        "2010-9-1",
        "2010/9/1",
        "2010.9.1",
        "2010年9月1日",
        "2010 年 9 月 1 日",
        "20100901",
        "２０１０－０９－０１",
        "2010-09-01 13:45:00",
        "2010-09-01T13:45:00+08:00",
        "'2010-09-01",
        20100901,
        40422,
        40422.75,
        "40422",
        date(2010, 9, 1),
        datetime(2010, 9, 1, 13, 45),
    ],
)
def test_the_first_of_september_2010_is_understood(cell):
    assert date_of(cell) == date(2010, 9, 1)


@pytest.mark.parametrize("cell", ["2010-02-30", "2010-13-01", "abc", "12", "99999", "20101301", "Infinity", "NaN"])
def test_what_is_no_date_says_so(cell):
    with pytest.raises(UnreadableCell):
        date_of(cell)


def test_an_empty_cell_is_no_date():
    assert [date_of(cell) for cell in (None, "", " ", "-", "无")] == [None] * 5


def test_day_and_month_are_never_guessed():
    with pytest.raises(UnreadableCell, match="day or month first"):
        date_of("03/04/2010")
    assert date_of("03/04/2010", order="dmy") == date(2010, 4, 3)
    assert date_of("03/04/2010", order="mdy") == date(2010, 3, 4)


@given(
    st.dates(date(1950, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d", "%Y-%m-%d 00:00:00"]),
)
def test_every_date_comes_back_in_every_style_and_as_a_serial(day, style):
    assert date_of(day.strftime(style)) == day
    assert date_of((day - EXCEL_DAY_ZERO).days) == day
    assert date_of(float((day - EXCEL_DAY_ZERO).days) + 0.5) == day


def complaint_of(reader, cell):
    """What a reader says against a cell; None when it reads it."""
    try:
        reader(cell)
    except UnreadableCell as error:
        return str(error)
    return None


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(text):
    for reader in (date_of, number_text_of, lambda cell: whole_number_of(cell, largest=10)):
        assert complaint_of(reader, text) != ""


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (13812345678, "13812345678"),
        (13812345678.0, "13812345678"),
        ("13812345678.0", "13812345678"),
        ("1.3812345678E+10", "13812345678"),
        ("1.38E+2", "138"),
        ("'13812345678", "13812345678"),
        ("11010519491231002X", "11010519491231002X"),
        (None, ""),
    ],
)
def test_a_number_that_a_spreadsheet_touched_is_whole_again(cell, number):
    assert number_text_of(cell) == number


@pytest.mark.parametrize("cell", ["1.38E+10", "1.10105E+17", 110105194912310021, 1.1010519491231e17])
def test_a_number_whose_digits_are_lost_is_refused(cell):
    with pytest.raises(UnreadableCell, match="spreadsheet"):
        number_text_of(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12,345", 12345),
        ("12345公里", 12345),
        ("１２３４５ km", 12345),
        ("1.2万公里", 12000),
        (12345.6, 12345),
        ("31,000 mi", 49890),
        ("31000英里", 49890),
        ("0", 0),
        ("", None),
        (None, None),
    ],
)
def test_a_mileage_is_read(cell, number):
    assert whole_number_of(cell, largest=3_000_000) == number


@pytest.mark.parametrize("cell", ["-5", "abc", "9999999", "NaN", "1e99", "2000000 mi", "9e999999 mi"])
def test_what_is_no_mileage_says_so(cell):
    with pytest.raises(UnreadableCell):
        whole_number_of(cell, largest=3_000_000)


def test_text_loses_spaces_full_width_forms_and_excels_apostrophe():
    assert text_of("\u3000王 小明\n先生 ") == "王 小明 先生"
    assert text_of("ＡＢＣ１２３") == "ABC123"
    assert text_of("'0543") == "0543"
    assert text_of(12.0) == "12"


# --- Columns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("姓名/单位名称", "name"),
        ("Name", "name"),
        ("车主", "name"),
        ("客户姓名", "name"),
        ("手机号码", "mobile"),
        ("Mobile (primary)", "mobile"),
        ("手机（必填）*", "mobile"),
        ("底盘号/车架号/VIN", "vin"),
        ("ＶＩＮ码", "vin"),
        ("Chassis No.", "vin"),
        ("购车日期/开票日期", "purchase_on"),
        ("Purchase (invoice) date", "purchase_on"),
        ("交车日期", "delivery_on"),
        ("Delivery date", "delivery_on"),
        ("注册登记日期", "registered_on"),
        ("Registration date", "registered_on"),
        ("出生日期/生日", "birthday"),
        ("客服专员", "care_specialist"),
        ("Customer-care specialist", "care_specialist"),
        ("统一社会信用代码", "credit_code"),
        ("检验有效期止", "inspection_valid_until"),
        ("Network: 广泛/一般/有限", "network"),
        ("下次保养日期/里程", None),
        ("Next service date / km", None),
        ("爱好", None),
        ("", None),
    ],
)
def test_a_column_is_known_by_the_names_of_the_domain_and_of_stores(name, field):
    assert field_of(name) == field


def test_a_vague_name_takes_what_clear_names_left():
    assert map_columns(["电话", "姓名"]).positions == {"name": 1, "mobile": 0}
    assert map_columns(["电话", "姓名", "手机"]).positions == {"name": 1, "mobile": 2, "other_phone": 0}


def test_columns_that_nothing_is_taken_from_are_named():
    columns = map_columns(["行号", "姓名", "手机", "手机号", "爱好", "", "原因"])
    assert columns.ignored == ["手机号", "爱好"]


def test_a_row_is_a_head_only_with_a_customer_or_a_car():
    assert known_columns(["姓名", "手机", "爱好"]) == 2
    assert known_columns(["手机", "生日"]) == 0
    assert known_columns(["客户资料"]) == 0


# --- Files --------------------------------------------------------------------------------------------------------

LINES = "姓名,手机,备注\n王小明,13812345678,“你好”\n李雷,13912345678,镕\n"


def rows_of(path):
    table = read_table(path, score=known_columns, example="姓名")
    return table.headers, [(row.line, list(row.cells)) for row in table.rows]


EXPECTED = (
    ["姓名", "手机", "备注"],
    [(2, ["王小明", "13812345678", "“你好”"]), (3, ["李雷", "13912345678", "镕"])],
)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (LINES.encode("utf-8"), "utf-8"),
        (codecs.BOM_UTF8 + LINES.encode("utf-8"), "utf-8-sig"),
        (LINES.encode("gb18030"), "gb18030"),
        (LINES.encode("utf-16"), "utf-16"),
    ],
)
def test_a_csv_file_is_read_in_its_encoding(tmp_path, content, encoding):
    path = tmp_path / "客户.csv"
    path.write_bytes(content)
    assert encoding_of(path) == encoding
    assert rows_of(path) == EXPECTED


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    path = tmp_path / "a.csv"
    path.write_text(LINES.replace(",", separator), encoding="utf-8")
    assert rows_of(path) == EXPECTED


def test_the_head_may_stand_below_a_title_and_lines_are_counted_as_an_editor_does(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('客户资料,,\n,,\n姓名,手机,备注\n王,13812345678,"a\nb"\n,,\n李,13912345678,c\n', encoding="utf-8")
    headers, rows = rows_of(path)
    assert headers == ["姓名", "手机", "备注"]
    assert [(line, cells[0]) for line, cells in rows] == [(4, "王"), (7, "李")]


def test_a_workbook_is_read_from_the_sheet_that_has_the_table(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["说明"])
    sheet = workbook.create_sheet("数据")
    sheet.append(["某某店客户"])
    sheet.append(["姓名", "手机", "购车日期"])
    sheet.append(["王小明", 13812345678, date(2010, 9, 1)])
    sheet.append([None, None, None])
    sheet.append(["李雷", "13912345678", 40422])
    path = tmp_path / "a.xlsx"
    workbook.save(path)
    headers, rows = rows_of(path)
    assert headers == ["姓名", "手机", "购车日期"]
    assert [(line, date_of(cells[2])) for line, cells in rows] == [(3, date(2010, 9, 1)), (5, date(2010, 9, 1))]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xff\xfe\xfd\x00\x81", "neither UTF-8 nor GB18030"),
        (b"a,b\n\x81\x00\x81\n", "neither UTF-8 nor GB18030"),
        (b"PK\x03\x04 not really", "not a readable Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 not really", "not a readable Excel"),
        ("颜色,大小\n红,3\n".encode(), "known here"),
    ],
)
def test_a_file_that_is_no_table_of_customers_says_why(tmp_path, content, words):
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=words):
        rows_of(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnusableFile, match=r"missing\.csv"):
        rows_of(tmp_path / "missing.csv")


def test_real_bytes_of_gbk_with_tabs_inside_fields_are_read():
    path = shared_data("import/car_complaints_2020_gbk.csv")
    assert encoding_of(path) == "gb18030"
    table = read_table(path, score=lambda headers: 2 * ("datetime" in headers), example="datetime")
    position = table.headers.index("datetime")
    days = [date_of(row.cells[position]) for row in table.rows]
    assert len(days) > 100
    assert {day.year for day in days} == {2020}


def test_a_real_workbook_of_workshops_is_read():
    path = shared_data("import/mahindra_workshop_plant_master.xlsx")
    table = read_table(
        path, score=lambda headers: len([h for h in headers if h]) if len(headers) > 2 else 0, example="x"
    )
    assert len(list(table.rows)) >= 437


# --- Rows ---------------------------------------------------------------------------------------------------------


def parse(**cells):
    headers = list(cells)
    store = Store(code="BZ01", name="滨州渤海路店")
    parser = RowParser(headers=headers, columns=map_columns(headers), store=store, on=TODAY)
    return parser.parse(Row(2, list(cells.values())))


VIN = "LSJA24U62JG269225"


def test_a_row_becomes_a_customer_and_a_car():
    row = parse(
        姓名="王小明",
        手机="+86 138-1234-5678 / 0543-3388888",
        性别="男",
        生日="农历八月十五",
        身份证号码="11010519491231002X",
        省="山东省",
        市="滨州市",
        区="滨城区",
        家庭住址="渤海路 1 号",
        VIN=VIN,
        车牌号="鲁M·D12345",
        品牌="吉利",
        车型="吉利 帝豪EC7 2012款 1.5L 手动",
        使用性质="私家车",
        购车日期="2018年9月1日",
        交车日期=43350,
        当前里程="4.5万公里",
        里程日期="2026/10/1",
        交强险到期日="2027-01-01",
        检验有效期止="2026-12-31",
        沟通顺畅度="良好",
        人脉情况="广泛",
        推荐意愿="积极",
        销售顾问="张三",
    )
    assert row.problems == []
    assert row.customer["mobile"] == "13812345678"
    assert row.customer["other_phone"] == "0543-3388888"
    assert row.customer["address_region"] == "山东省滨州市滨城区"
    assert row.customer["tier"] == Tier.VIP
    assert (row.customer["birthday_calendar"], row.customer["birthday_day"]) == (BirthdayCalendar.LUNAR, 15)
    assert row.customer_hints["birthday_year"] == 1949
    assert row.staff == {"sales_consultant": "张三"}
    assert (row.car["plate"], row.car["plate_kind"]) == ("鲁MD12345", PlateKind.NEV_SMALL)
    assert row.car_hints["energy"] == Energy.BEV
    assert row.car["use"] == Use.PRIVATE
    assert (row.car["purchase_on"], row.car["delivery_on"]) == (date(2018, 9, 1), date(2018, 9, 7))
    assert row.readings == [(date(2026, 10, 1), 45000)]
    assert row.policies == [(PolicyKind.COMPULSORY, date(2027, 1, 1), "")]
    assert row.catalogue == CatalogueKey("吉利", "帝豪EC7", 2012, "1.5L 手动")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("手机", "12345", "“12345” is not a phone number"),
        ("手机", "1.38E+10", "the spreadsheet shortened"),
        ("身份证号码", 110105194912310021, "kept only 15 digits"),
        ("身份证号码", "110105194912310021", "is not a resident ID"),
        ("电子邮箱", "wang@", "is not an e-mail address"),
        ("生日", "2月30日", "is not a birthday that exists"),
        ("VIN", "LSJA24O62JG269225", "is not a VIN"),
        ("车牌号", "京A1234", "has not the 7 or 8 characters"),
        ("购车日期", TODAY + timedelta(days=1), "is in the future"),
        ("交车日期", "2010-02-30", "does not exist"),
        ("当前里程", "很多", "is not a number"),
        ("门店", "BZ02", "is not of store BZ01"),
        ("统一社会信用代码", "91350100M000100Y44", "is not a unified social credit code"),
    ],
)
def test_a_wrong_cell_is_a_problem_in_words_that_names_its_column(column, cell, words):
    row = parse(**({"姓名": "王小明", "手机": "13812345678", "VIN": VIN} | {column: cell}))
    assert len(row.problems) == 1
    assert row.problems[0].startswith(f"{column}: ")
    assert words in row.problems[0]


def test_an_id_number_is_not_spelt_out_in_a_reason():
    (problem,) = parse(姓名="王", 身份证号码="110105194912310021").problems
    assert "194912" not in problem


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("VIN", "LSJA24U63JG269225", "check digit"),
        ("交车日期", "2018-01-01", "delivered before it was bought"),
        ("来源渠道", "天上掉的", "is not known here"),
        ("微信", "1", "is not a WeChat ID"),
        ("发动机号", "A", "unusual form"),
    ],
)
def test_an_odd_cell_is_only_a_warning(column, cell, words):
    row = parse(**({"姓名": "王小明", "VIN": VIN, "购车日期": "2018-09-01"} | {column: cell}))
    assert row.problems == []
    assert [words in warning for warning in row.warnings] == [True]


def test_a_car_without_vin_is_a_problem():
    assert parse(姓名="王", 手机="13812345678", 车牌号="鲁M12345").problems == [
        "There is a car, but its VIN is missing."
    ]


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("滨州恒通运输有限公司", "", CustomerKind.ORGANISATION),
        ("王小明", "91350100M000100Y43", CustomerKind.ORGANISATION),
        ("王小明", "", None),
    ],
)
def test_an_organisation_is_known_by_its_name_or_code(name, code, kind):
    assert parse(姓名=name, 统一社会信用代码=code).customer_hints.get("kind") == kind


def test_what_the_row_says_itself_is_no_matter_of_hints():
    row = parse(
        姓名="王小明",
        客户类型="个人",
        统一社会信用代码="91350100M000100Y43",
        VIN=VIN,
        车牌号="鲁MD12345",
        能源类型="汽油",
    )
    assert (row.customer["kind"], row.customer_hints) == (CustomerKind.PERSON, {})
    assert (row.car["energy"], row.car_hints) == (Energy.PETROL, {})


def test_a_resident_id_that_might_be_a_credit_code_is_a_resident_id():
    number = "371625196506269157"
    assert is_credit_code(number)
    row = parse(姓名="王小明", 身份证号码=number)
    assert (row.customer.get("id_number"), row.customer.get("credit_code")) == (number, None)


def test_a_landline_in_the_column_of_mobiles_is_kept_as_other_phone():
    row = parse(姓名="王", 手机="0543-3388888")
    assert (row.customer.get("mobile"), row.customer["other_phone"], row.problems) == (None, "0543-3388888", [])


# --- Who may be contacted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (DoNotContact.NONE, "否 无 不 没有 no NO N 0 none 可联系 正常 ×"),
        (DoNotContact.MARKETING, "营销 拒绝营销 不要广告 marketing 免营销"),
        (DoNotContact.ALL_BUT_SAFETY, "是 yes Y 1 TRUE √ 勿扰 免打扰 请勿打扰 拒绝 拒访 拒绝回访 黑名单 DNC 不要联系"),
    ],
)
def test_a_plain_word_tells_how_far_a_wish_goes(level, words):
    assert {word: read_wish(word) for word in words.split()} == {word: Wish(level) for word in words.split()}


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("短信", Wish(refused=(Channel.SMS,))),
        ("不接电话", Wish(refused=(Channel.PHONE,))),
        ("no SMS", Wish(refused=(Channel.SMS,))),
        ("短信、微信", Wish(refused=(Channel.SMS, Channel.WECHAT))),
        ("营销/电话", Wish(DoNotContact.MARKETING, refused=(Channel.PHONE,))),
        ("是(投诉)", Wish(DoNotContact.ALL_BUT_SAFETY, reason="投诉")),
        ("拒访:上次投诉未解决", Wish(DoNotContact.ALL_BUT_SAFETY, reason="上次投诉未解决")),
        ("yes - complained in May", Wish(DoNotContact.ALL_BUT_SAFETY, reason="complained in May")),
        ("短信(嫌多)", Wish(refused=(Channel.SMS,), reason="嫌多")),
    ],
)
def test_a_wish_may_name_channels_and_its_reason(text, wish):
    assert read_wish(text) == wish


@pytest.mark.parametrize(
    "text", ["也许", "?", "是否", "否(投诉中)", "no calls please", "2", "否/是", "投诉", "13812345678"]
)
def test_what_does_not_clearly_tell_a_wish_is_not_guessed(text):
    assert read_wish(text) is None


@given(st.text(max_size=20))
def test_no_text_but_a_known_word_welcomes_contact(text):
    wish = read_wish(text)
    assert wish != Wish() or text in ("×", "✗", "✘") or read_wish(plain(text)) == Wish()
