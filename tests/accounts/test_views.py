from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.urls import reverse

from accounts.models import User
from tests.factories import NOW, PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def test_a_person_signs_in_with_name_and_password(client, adviser):
    response = client.post(reverse("account_login"), {"login": "sa1", "password": PASSWORD, "next": "/customers/"})
    assert (response.status_code, response.url) == (302, "/customers/")
    assert client.session["_auth_user_id"] == str(adviser.pk)


def test_nobody_signs_themselves_up(client):
    response = client.post(
        reverse("account_signup"), {"username": "new", "password1": PASSWORD, "password2": PASSWORD}, follow=True
    )
    assert b"new" not in response.content
    assert not UserFactory._meta.model.objects.filter(username="new").exists()


def test_the_language_is_kept_with_the_person(as_user, adviser):
    client = as_user(adviser)
    response = client.post(reverse("accounts:language_set"), {"language": "zh-hans", "next": "/accounts/2fa/"})
    assert (response.status_code, response.url) == (302, "/accounts/2fa/")
    adviser.refresh_from_db()
    assert adviser.language == "zh-hans"


def test_the_language_of_a_stranger_is_kept_in_a_cookie(client):
    client.post(reverse("accounts:language_set"), {"language": "en"})
    assert client.cookies["django_language"].value == "en"
    assert '<html lang="en"' in client.get(reverse("account_login")).content.decode()


def test_a_stranger_reads_what_the_browser_asks_for_else_chinese(client):
    url = reverse("account_login")
    assert '<html lang="zh-Hans"' in client.get(url).content.decode()
    assert '<html lang="en"' in client.get(url, headers={"accept-language": "en-GB"}).content.decode()


@pytest.mark.parametrize(("name", "data"), [("language_set", {"language": "fr"}), ("theme_set", {"theme": "pink"})])
def test_what_is_not_offered_is_refused(client, name, data):
    assert client.post(reverse(f"accounts:{name}"), data).status_code == 422


@pytest.mark.parametrize("name", ["language_set", "theme_set"])
def test_a_get_changes_nothing(client, name):
    assert client.get(reverse(f"accounts:{name}")).status_code == 405


def test_a_choice_never_leads_to_a_foreign_site(client):
    response = client.post(reverse("accounts:theme_set"), {"theme": "dark", "next": "https://example.org/"})
    assert response.url == "/"


def test_the_chosen_theme_is_in_the_page_itself(client):
    client.post(reverse("accounts:theme_set"), {"theme": "dark"})
    assert 'data-bs-theme="dark"' in client.get(reverse("account_login")).content.decode()


def test_a_person_without_a_role_is_told_so(as_user):
    response = as_user(UserFactory()).get("/no-such-page/")
    assert (response.status_code, response.templates[0].name) == (403, "accounts/no_membership.html")


def test_the_page_of_a_wrong_address_keeps_the_navigation(as_user, adviser):
    response = as_user(adviser).get("/no-such-page/")
    assert response.status_code == 404
    assert 'class="crm-nav"' in response.content.decode()


@pytest.mark.parametrize(
    "name", ["account_change_password", "mfa_index", "usersessions_list", "mfa_activate_totp", "mfa_add_webauthn"]
)
def test_the_own_pages_open(as_user, adviser, name):
    client = as_user(adviser)
    # django-allauth asks for the password again before two-step sign-in is changed.
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/customers/"})
    assert client.get(reverse(name)).status_code == 200


def test_no_page_carries_inline_script_or_style(client):
    page = client.get(reverse("account_login")).content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert "onclick" not in page


def test_a_stranger_may_not_guess_passwords_for_long(client, adviser):
    url = reverse("account_login")
    for _attempt in range(5):
        assert client.post(url, {"login": "sa1", "password": "wrong-guess"}).status_code == 200
    client.post(url, {"login": "sa1", "password": PASSWORD, "next": "/customers/"})
    assert "_auth_user_id" not in client.session


def test_who_guesses_passwords_locks_out_nobody_else_behind_the_same_proxy(client, adviser, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    url = reverse("account_login")
    for number in range(11):
        guess = {"login": f"nobody{number}", "password": "wrong-guess"}
        client.post(url, guess, headers={"x-forwarded-for": "198.51.100.7, 203.0.113.9"})
    own = {"login": "sa1", "password": PASSWORD}
    client.post(url, own, headers={"x-forwarded-for": "203.0.113.9"})
    assert "_auth_user_id" not in client.session
    client.post(url, own, headers={"x-forwarded-for": "198.51.100.7"})
    assert client.session["_auth_user_id"] == str(adviser.pk)


def test_an_administrator_takes_a_second_step_away_and_does_nothing_else_with_it(
    as_user, admin_user, adviser, general_manager
):
    row = TOTP.activate(adviser, "SECRETSECRETSECRET").instance
    client = as_user(admin_user)
    path = f"/admin/mfa/authenticator/{row.pk}"
    page = client.get(f"{path}/change/")
    assert (page.status_code, "secret" in page.content.decode().lower()) == (200, False)
    client.post(f"{path}/change/", {"user": general_manager.pk, "type": "webauthn", "data": "{}"})
    row.refresh_from_db()
    assert (row.user, row.type) == (adviser, "totp")
    assert client.get("/admin/mfa/authenticator/add/").status_code == 403
    client.post(f"{path}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("is_old", [False, True])
def test_the_secret_of_a_second_step_is_encrypted_and_one_from_before_still_works(adviser, time_machine, is_old):
    time_machine.move_to(NOW, tick=False)
    secret = "JBSWY3DPEHPK3PXP"
    totp = TOTP.activate(adviser, secret)
    assert secret not in str(Authenticator.objects.get().data)
    if is_old:
        totp.instance.data = {"secret": secret}
    assert totp.validate_code(format_hotp_value(hotp_value(secret, int(NOW.timestamp()) // 30)))


def test_no_cache_keeps_the_pages_of_a_signed_in_person(client, as_user, adviser):
    own = as_user(adviser)
    assert {own.get(path).headers["Cache-Control"] for path in ("/customers/", "/no-such-page/")} == {
        "private, no-store"
    }
    assert "Cache-Control" not in client.get("/customers/").headers


def test_the_administration_has_no_sign_in_of_its_own(client, as_user, adviser, admin_user):
    assert client.get("/admin/login/?next=/admin/").url.startswith(reverse("account_login"))
    assert as_user(admin_user).get("/admin/").status_code == 200
    assert as_user(adviser).get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize("model", ["accounts/store", "accounts/user", "vehicles/carmodel", "vehicles/serviceplan"])
def test_the_administration_opens_its_lists_and_forms(as_user, admin_user, store, model):
    client = as_user(admin_user)
    assert client.get(f"/admin/{model}/").status_code == 200
    assert client.get(f"/admin/{model}/add/").status_code == 200


CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}


def test_the_second_step_of_signing_in_has_one_name_in_chinese(client, adviser):
    User.objects.filter(pk=adviser.pk).update(language="zh-hans")
    client.force_login(adviser)
    own_page = client.get(reverse("mfa_index")).content.decode()
    assert own_page.count("两步验证") >= 2  # the entry of the menu, and the head of the page
    secret = TOTP.activate(adviser, "SECRETSECRETSECRET").instance
    assert secret.type == "totp"
    client.logout()
    client.post(reverse("account_login"), {"login": "sa1", "password": PASSWORD}, headers=CHINESE)
    question = client.get(reverse("mfa_authenticate"), headers=CHINESE).content.decode()
    assert "您的账户已启用两步验证，请输入验证码：" in question
    assert not [word for word in ("双因素", "多因素", "双重") if word in own_page + question]


HERE = "http://testserver"


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"referer": f"{HERE}/team/?store=BZ01"}, "/team/?store=BZ01"),
        ({"referer": f"{HERE}/", "hx-current-url": f"{HERE}/jobs/"}, "/jobs/"),
        ({"referer": "https://example.org/team/"}, "/"),
        ({}, "/"),
    ],
)
def test_a_button_pressed_after_the_session_ended_leads_back_to_its_page(client, headers, page):
    response = client.post(reverse("followups:team_assign"), headers=headers)

    assert response.url == f"{reverse('account_login')}?{urlencode({'next': page}, safe='/')}"


def test_the_language_switch_on_the_answer_of_a_button_leads_to_the_page_with_the_button(as_user, general_manager):
    page = reverse("followups:store_limits")
    button = reverse("followups:store_limits_edit", args=[general_manager.memberships.get().store_id])

    answer = as_user(general_manager).post(button, {"gap_days": "-1"}, headers={"referer": HERE + page})

    assert answer.status_code == 422
    assert f'name="next" value="{page}"' in answer.text


def test_the_address_of_a_button_opened_as_a_page_says_so(as_user, manager, client):
    for reader in (client, as_user(manager)):
        response = reader.get(reverse("accounts:theme_set"), headers={"accept-language": "en"})
        assert (response.status_code, response["Allow"]) == (405, "POST")
        assert "Nothing was changed" in response.text
