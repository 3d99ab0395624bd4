import pytest
from playwright.sync_api import Browser

from benchmarks.chromium import measure
from benchmarks.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]


def test_the_browser_says_what_it_got(browser: Browser, server: ServerProcess) -> None:
    page = browser.new_page()
    values = measure(page, server.url, seconds=2.0)
    page.close()
    fps, delay_ms = values["fps"], values["audio_jitter_buffer_ms"]
    assert isinstance(fps, float)
    assert isinstance(delay_ms, float)
    assert 1 < fps < 40
    assert 0 < delay_ms < 5000
    assert {"freezes", "skew_mean_ms", "video_jitter_buffer_ms"} <= values.keys()
