"""The page as a visitor meets it: texts, sizes, portraits, uploads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.async_api import expect

from tests.web.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def tall_picture(tmp_path: Path) -> Path:
    """Dark left of the middle, light right of it."""
    path = tmp_path / "grace_hopper.png"
    picture = np.full((900, 400, 3), 40, np.uint8)
    picture[:, 200:] = 200
    cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def black_picture(tmp_path: Path) -> Path:
    path = tmp_path / "black.png"
    cv2.imwrite(str(path), np.zeros((300, 300, 3), np.uint8))
    return path


async def test_it_loads_quietly_and_from_one_place(visits: Visits) -> None:
    visit = await visits()
    assert await visit.text_of("stage-name") == "Ada"
    assert await visit.page.is_visible("#stage-still")
    assert await visit.steps() == ["pending"] * 5
    assert all(address.startswith((visit.url, "blob:")) for address in visit.addresses)
    assert visit.problems == []


async def test_the_address_chooses_the_language_and_the_switch_changes_it(visits: Visits) -> None:
    visit = await visits("?lang=es")
    assert await visit.text_of("connect") == "Conectar"
    assert await visit.page.get_attribute("html", "lang") == "es"
    await visit.page.select_option("#language", "en")
    assert await visit.text_of("connect") == "Connect"
    assert await visit.page.get_attribute("#avatar-list", "aria-label") == "Choose a portrait"
    await visit.page.reload()
    await visit.page.wait_for_selector(".avatar")
    assert await visit.text_of("connect") == "Connect"


@pytest.mark.parametrize("language", ["en", "es"])
async def test_nothing_is_wider_than_a_small_phone(
    visits: Visits, tall_picture: Path, language: str
) -> None:
    visit = await visits(f"?lang={language}", width=320)
    await visit.page.set_input_files("#upload-file", tall_picture)
    await visit.page.wait_for_selector("#upload-crop")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_portraits_are_chosen_with_the_keyboard(visits: Visits) -> None:
    visit = await visits()
    await visit.page.focus(".avatar input:checked")
    await visit.page.keyboard.press("ArrowRight")
    assert await visit.text_of("stage-name") == "Bo"


async def test_what_is_no_picture_is_not_even_sent(visits: Visits, tmp_path: Path) -> None:
    visit = await visits()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and nothing else")
    for name, reason in (("notes.txt", "cannot send"), ("broken.png", "damaged")):
        await visit.page.set_input_files("#upload-file", tmp_path / name)
        await visit.page.wait_for_selector("#upload-message[data-kind=problem]:not(:empty)")
        message = await visit.text_of("upload-message")
        assert name in message
        assert reason.split()[-1] in message
    assert not await visit.page.is_visible("#upload-details")


async def test_without_consent_nothing_is_sent(visits: Visits, tall_picture: Path) -> None:
    visit = await visits()
    prepared = len(visit.engine.pictures)
    await visit.page.set_input_files("#upload-file", tall_picture)
    await visit.page.click("#upload-submit")
    assert "agrees" in await visit.text_of("upload-message")
    assert await visit.page.evaluate("document.activeElement.id") == "upload-consent"
    assert len(visit.engine.pictures) == prepared


async def test_a_refused_picture_is_explained_in_place(visits: Visits, black_picture: Path) -> None:
    visit = await visits("?lang=es")
    await visit.page.set_input_files("#upload-file", black_picture)
    await visit.page.check("#upload-consent")
    await visit.page.click("#upload-submit")
    await visit.page.wait_for_selector("#upload-message[data-kind=problem]:not(:empty)")
    message = await visit.text_of("upload-message")
    assert message.startswith("No se encontró ninguna cara.")
    assert "no face found" in message
    assert await visit.page.is_enabled("#upload-submit")


async def test_a_portrait_has_a_look_of_its_own_in_the_gallery(
    visits: Visits, tall_picture: Path
) -> None:
    visit = await visits()
    page = visit.page
    for name, background in (("plain", "keep"), ("blurred", "blur"), ("blue", "colour")):
        await page.set_input_files("#upload-file", tall_picture)
        await expect(page.locator("#upload-name")).to_have_value("grace hopper")
        await page.fill("#upload-name", name)
        await page.select_option("#upload-background", background)
        if background == "colour":
            await page.fill("#upload-colour", "#2040c0")
        await page.check("#upload-consent")
        await page.click("#upload-submit")
        await expect(page.locator("#stage-name")).to_have_text(name)
    looks = [options.background.name for options in visit.engine.options[-3:]]
    assert looks == ["keep", "blur", "#2040c0"]
    assert await page.locator(".avatar .trait").all_inner_texts() == ["Blurred", "One colour"]
    await page.click(".avatar:has-text('blurred')")
    assert await visit.text_of("stage-name") == "blurred"
    await page.set_input_files("#upload-file", tall_picture)
    await page.fill("#upload-name", "PLAIN")
    await page.select_option("#upload-background", "chroma")
    await page.check("#upload-consent")
    await page.click("#upload-submit")
    await expect(page.locator("#upload-message")).to_contain_text("Another portrait has this name")


async def test_an_upload_is_cropped_as_shown_then_chosen_then_deleted(
    visits: Visits, tall_picture: Path
) -> None:
    visit = await visits()
    page = visit.page
    await page.set_input_files("#upload-file", tall_picture)
    await expect(page.locator("#upload-name")).to_have_value("grace hopper")  # once it is decoded
    await page.focus("#upload-crop")
    for key in ("+", "+", "+", "+", "+", *["ArrowRight"] * 30):
        await page.keyboard.press(key)
    await page.check("#upload-consent")
    await page.click("#upload-submit")
    await page.wait_for_selector(".delete")
    sent = visit.engine.pictures[-1]
    assert sent.shape == (200, 200, 3)  # zoom 2 of 400 pixels
    assert sent.min() > 190  # the light half
    assert await visit.text_of("stage-name") == "grace hopper"
    await page.click(".delete")
    await page.keyboard.press("Escape")
    assert await page.locator(".avatar").count() == 3
    await page.click(".delete")
    await page.click("#delete-dialog button[value=delete]")
    await page.wait_for_function("() => document.querySelectorAll('.avatar').length === 2")
    assert await visit.text_of("stage-name") == "Ada"
    assert visit.problems == []


async def test_a_portrait_gets_another_name_and_look(visits: Visits, tall_picture: Path) -> None:
    visit = await visits()
    page = visit.page
    await page.set_input_files("#upload-file", tall_picture)
    await page.check("#upload-consent")
    await page.click("#upload-submit")
    await page.click(".change")
    await expect(page.locator("#change-name")).to_have_value("grace hopper")
    await page.fill("#change-name", "Bo")
    await page.select_option("#change-background", "colour")
    await page.fill("#change-colour", "#2040c0")
    await page.select_option("#change-size", "256")
    await page.click("#change-submit")
    await expect(page.locator("#change-message")).to_contain_text("Another portrait has this name")
    await page.fill("#change-name", "Grace")
    await page.click("#change-submit")
    await expect(page.locator("#stage-name")).to_have_text("Grace")
    assert not await page.is_visible("#change-dialog")
    last = visit.engine.options[-1]
    assert (last.background.name, last.size) == ("#2040c0", 256)
    assert await page.locator(".avatar").count() == 3
    assert await page.locator(".avatar .trait").all_inner_texts() == ["One colour"]
    assert await page.is_checked(".avatar:has-text('Grace') input")
