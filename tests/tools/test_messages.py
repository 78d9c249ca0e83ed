"""The keeper of the translations."""

import pytest
from babel.messages.catalog import Catalog

from tools import messages

PO = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "views.py").write_text(
        "from django.utils.translation import gettext as _, ngettext, pgettext\n"
        "a = _('Plain text')\n"
        "b = ngettext('%(count)s car', '%(count)s cars', 2) % {'count': 2}\n"
        "c = pgettext('verb', 'Call')\n"
    )
    (tmp_path / "templates" / "app").mkdir(parents=True)
    (tmp_path / "templates" / "app" / "page.html").write_text(
        '{% load i18n %}\n  <p title="{% translate "A title" %}">it\'s "quoted"\n'
        "    {% blocktranslate trimmed with name=user.name %}\n      Hello\n      {{ name }}\n"
        '    {% endblocktranslate %}</p>\n{% if x == _("In a tag") %}{% endif %}\n'
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("_('Not for people')\n")
    return tmp_path


def fresh(project) -> Catalog:
    return messages.collect(messages.sources(project))


def known(tmp_path, text: str) -> Catalog:
    path = tmp_path / "known.po"
    path.write_text(PO + text, encoding="utf-8")
    return messages.load(path)


def keys(catalogue: Catalog) -> set:
    return {messages._key(message) for message in messages._messages(catalogue)}


def test_texts_of_python_and_templates_are_found_and_those_of_tests_are_not(project):
    assert keys(fresh(project)) == {
        ("Plain text", None),
        ("%(count)s car", None),
        ("Call", "verb"),
        ("A title", None),
        ("Hello %(name)s", None),
        ("In a tag", None),
    }


def test_translations_stay_new_texts_come_in_and_old_ones_go_out(project, tmp_path):
    before = known(tmp_path, 'msgid "Plain text"\nmsgstr "文字"\n\nmsgid "Gone"\nmsgstr "没了"\n')

    text = messages.render(messages.merged(fresh(project), before))

    assert 'msgid "Plain text"\nmsgstr "文字"' in text
    assert "Gone" not in text
    assert 'msgctxt "verb"\nmsgid "Call"\nmsgstr ""' in text


def test_the_file_carries_no_dates_and_no_line_numbers_and_is_stable(project, tmp_path):
    text = messages.render(fresh(project))

    path = tmp_path / "again.po"
    path.write_text(text, encoding="utf-8")
    assert messages.render(messages.merged(fresh(project), messages.load(path))) == text
    assert "Date" not in text
    assert "views.py" not in text


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("", "missing: Plain text"),
        ('msgid "Plain text"\nmsgstr ""\n', "missing: Plain text"),
        ('#, fuzzy\nmsgid "Plain text"\nmsgstr "文字"\n', "fuzzy: Plain text"),
        ('msgid "Plain text"\nmsgstr "文字 %(more)s"\n', "other placeholders than the original: Plain text"),
        ('msgid "Gone"\nmsgstr "没了"\n', "obsolete: Gone"),
    ],
)
def test_what_is_wrong_with_a_translation_is_said(project, tmp_path, entry, problem):
    assert problem in messages.problems(fresh(project), known(tmp_path, entry))


def test_a_plural_must_name_the_number(project, tmp_path):
    entry = 'msgid "%(count)s car"\nmsgid_plural "%(count)s cars"\nmsgstr[0] "{}"\n'

    good = messages.problems(fresh(project), known(tmp_path, entry.format("%(count)s 辆车")))
    bad = messages.problems(fresh(project), known(tmp_path, entry.format("一些车")))

    assert not [line for line in good if "car" in line]
    assert "other placeholders than the original: %(count)s car" in bad


def test_the_check_fails_on_a_missing_translation_and_changes_nothing(project, tmp_path, monkeypatch, capsys):
    catalogue = tmp_path / "django.po"
    monkeypatch.setattr(messages, "ROOT", project)
    monkeypatch.setattr(messages, "CATALOGUE", catalogue)

    assert messages.main(["--check"]) == 1
    assert "missing: Plain text" in capsys.readouterr().out
    assert not catalogue.exists()

    assert messages.main([]) == 0
    assert catalogue.with_suffix(".mo").exists()
