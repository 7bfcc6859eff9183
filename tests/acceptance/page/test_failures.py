"""Failures: every error of the table, and every way in which an answer can be lost, tells a person what to do."""

from __future__ import annotations

from sightline.protocol.errors import TABLE
from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import ERRORS, SHORT, ScriptedService
from tests.acceptance.page.test_asking import ask, done, failed


def test_there_is_a_case_for_every_code() -> None:
    assert set(ERRORS) == set(TABLE)


def test_every_error_looks_helpful(visit: OPEN) -> None:
    page = visit()
    for code, error in ERRORS.items():
        card = failed(ask(page, f"error {code}"))
        expect(card.locator(".failure")).to_have_attribute("data-code", str(code))
        expect(card.locator(".failure-said")).to_have_text(error.say("en"))
        expect(card.locator(".failure-hint")).not_to_be_empty()
        expect(card).to_contain_text(f"Code {code}")
        expect(card.locator(".about-failure code")).to_contain_text("req_")
        expect(card.get_by_role("button", name="Try again")).to_have_count(1 if error.retryable else 0)
        expect(page.get_by_role("button", name="Ask")).to_be_visible()


def test_an_overloaded_service_is_asked_again_when_it_said_so(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    service.refusals = 1
    retry = ask(page, "error 2001").get_by_role("button", name="Try again")
    expect(retry).to_be_disabled()
    expect(retry).to_contain_text("Try again in")
    expect(retry).to_be_enabled()
    retry.click()
    expect(done(page.locator(".card").first).locator(".answer")).to_have_text(SHORT)
    assert page.locator(".card").count() == 1


def test_more_time_is_offered_where_time_ran_out(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    service.refusals = 1
    ask(page, "error 2002").get_by_role("button", name="Try again with twice the time").click()
    done(page.locator(".card").first)
    assert [call.options.timeout_ms for call in service.calls] == [None, 60_000]


def test_the_picture_at_fault_can_be_taken_out(visit: OPEN) -> None:
    page = visit()
    ask(page, "error 1005").get_by_role("button", name="Remove picture 1").click()
    expect(page.locator(".shot")).to_have_count(0)


def test_what_was_said_before_a_failure_stays(visit: OPEN) -> None:
    page = visit()
    card = failed(ask(page, "break 5001"))
    expect(card.locator(".answer")).to_have_text("There is")
    expect(card).to_contain_text("Code 5001")
    expect(card.get_by_role("button", name="Try again")).to_be_visible()


def test_an_answer_that_breaks_off_says_so(visit: OPEN) -> None:
    page = visit()
    card = failed(ask(page, "cut"))
    expect(card).to_contain_text("The answer broke off before its end.")
    expect(card.locator(".answer")).to_have_text("There is")
    expect(card.get_by_role("button", name="Try again")).to_be_visible()


def test_a_service_that_is_away_says_so(visit: OPEN) -> None:
    page = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.context.set_offline(True)
    card = failed(ask(page, "what?"))
    expect(card).to_contain_text("The service cannot be reached.")
    page.context.set_offline(False)
    card.get_by_role("button", name="Try again").click()
    done(page.locator(".card").first)


def test_a_proxys_page_is_not_taken_for_the_service(visit: OPEN) -> None:
    page = visit()
    page.route("**/infer_stream", lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>"))
    card = failed(ask(page, "what?"))
    expect(card).to_contain_text("Something other than the service answered (HTTP 502).")
    expect(card).not_to_contain_text("Bad gateway")


def test_a_key_is_asked_for_used_and_forgotten_with_the_tab(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    sent: list[str | None] = []
    page.on("request", lambda request: sent.append(request.headers.get("authorization")) if "infer_stream" in request.url else None)
    service.refusals = 1
    expect(page.get_by_label("API key")).to_be_hidden()
    ask(page, "error 4001")
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill("sk-secret")
    field.press("Enter")
    done(page.locator(".card").first)
    expect(field).to_be_hidden()
    assert sent == [None, "Bearer sk-secret"]
    assert page.evaluate("JSON.stringify(localStorage)").find("sk-secret") == -1
    assert page.evaluate("sessionStorage.getItem('sightline.key')") == "sk-secret"
