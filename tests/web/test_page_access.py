"""The page in front of a server that asks for a token."""

from hashlib import sha256

import pytest

from streamer.tokens import Role, Tokens
from streamer.web_settings import WebSettings
from tests.web.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TOKEN = "speaking-with-many-characters"


@pytest.fixture
def web() -> WebSettings:
    return WebSettings(tokens=Tokens({sha256(TOKEN.encode()).hexdigest(): Role.SPEAK}))


async def test_a_token_opens_the_page_and_the_call(visits: Visits) -> None:
    visit = await visits(portraits=0)
    page = visit.page
    await page.wait_for_selector("#access-form:not([hidden])")
    await page.wait_for_function(
        "() => document.getElementById('avatar-message').textContent.includes('access token')"
    )
    assert all("401" in problem for problem in visit.problems)  # the browser's own words
    visit.problems.clear()
    await page.fill("#access-token", TOKEN)
    await page.press("#access-token", "Enter")
    await page.wait_for_function("() => document.querySelectorAll('.avatar').length >= 2")
    await page.wait_for_function("() => document.querySelector('.avatar img').naturalWidth > 0")
    await visit.connect()
    await page.click("#disconnect")
    await visit.wait_for_status("Disconnected")
    assert visit.problems == []
    assert not any(TOKEN in address for address in visit.addresses)
