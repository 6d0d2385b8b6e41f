"""The chat page in headless Chromium: a newcomer's first minutes, by mouse and by keyboard, and its accessibility."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from simulator.chat_people import ANA

from .world import World

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
T = TypeVar("T")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Yield a browser with a fresh profile."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with ChromeDriver is installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Hand:
    """What a person does in the page, with patience for what comes over the stream."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def until(self, found: Callable[[webdriver.Chrome], T]) -> T:
        return WebDriverWait(self.driver, 10, poll_frequency=0.05).until(found)

    def see(self, selector: str, words: str = "") -> WebElement:
        """Wait for a visible element that holds these words."""

        def look(driver: webdriver.Chrome) -> Any:
            # Updates may replace an element between finding and reading it, so the page itself does both.
            return driver.execute_script(
                "return [...document.querySelectorAll(arguments[0])]"
                ".find(e => e.checkVisibility() && e.innerText.includes(arguments[1])) ?? null",
                selector,
                words,
            )

        element: WebElement = self.until(look)
        return element

    def press(self, selector: str, words: str = "") -> None:
        self.see(selector, words).click()

    def become(self, name: str) -> None:
        self.press(".segments label", name)
        self.see("#line-label", f"as {name}")

    def focused(self) -> str:
        return str(self.driver.execute_script("return document.activeElement.innerText"))


def story(url: str, driver: webdriver.Chrome) -> None:
    """Ask, have it mended, be refused, approve, see the proof, break something."""
    hand = Hand(driver)
    driver.get(url)
    hand.see(".try", "Three things to try")
    assert 3 == len(driver.find_elements(By.CSS_SELECTOR, ".steps li"))
    hand.see("#empty")

    hand.press("#composer button")
    hand.see(".card", "vm-erp-01")
    assert not driver.find_element(By.ID, "empty").is_displayed()
    hand.press("[data-type]")
    hand.press("[data-action=fix]")

    hand.see("#modal h2", "Request this fix")
    hand.press("#modal-submit")
    hand.see("#modal-errors", "Reason: Please complete this required field.")
    reason = driver.find_element(By.NAME, "why")
    assert "true" == reason.get_attribute("aria-invalid")
    reason.send_keys("Month end <b>tonight</b>")
    hand.press("#modal-submit")
    hand.see(".thread .card", "Month end <b>tonight</b>")
    assert not driver.find_element(By.ID, "modal").is_displayed()

    hand.become("Eve")
    hand.press(".thread [data-action=approve]")
    hand.see("#confirm", "This grants a role at kv-erp-01.")
    hand.press("#confirm [value=yes]")
    hand.see(".entry.private", "You may not approve this.")

    hand.become("Ana")
    assert "You may not approve" not in driver.find_element(By.ID, "feed").text
    hand.press(".thread [data-action=approve]")
    hand.press("#confirm [value=no]")
    assert "Approve" == hand.focused()
    hand.press(".thread [data-action=approve]")
    hand.press("#confirm [value=yes]")
    hand.see(".thread .card", "PROVED: vm-erp-01 has a new recovery point.")
    hand.see(".thread .card", "Approved by Ana Lima")
    assert not driver.find_elements(By.CSS_SELECTOR, "[data-action=approve]")

    hand.press("#breaker .button", "Break it")
    hand.see("#broken", "Broken: Azure stops answering")
    hand.press("#mend")
    hand.until(lambda _: not driver.find_element(By.ID, "broken").is_displayed())


def by_keyboard(url: str, driver: webdriver.Chrome) -> None:
    """Type, reach a button with Tab, keep the focus through an update, leave a dialog with Escape."""
    hand = Hand(driver)
    driver.get(url)
    hand.see("#line-label", "as Max")
    line = driver.find_element(By.ID, "line")
    line.send_keys(Keys.ENTER)
    hand.see(".card", "vault-prod-01")
    line.send_keys(Keys.ARROW_UP)
    assert "/backup status vault-prod-01" == line.get_attribute("value")
    line.clear()
    line.send_keys("/backup diagnose vm-erp-01", Keys.ENTER)
    hand.see("[data-action=take]")
    hand.until(lambda _: "CRITICAL vm-erp-01" in str(driver.find_element(By.ID, "news").get_attribute("textContent")))

    for _ in range(20):
        line.send_keys(Keys.NULL)
        driver.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB)
        if hand.focused() == "Grant access and back up":
            break
    assert "Grant access and back up" == hand.focused()
    driver.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB)
    assert "I have it" == hand.focused()
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    hand.see(".card", "Max has it.")
    assert "I have it" == hand.focused()
    driver.switch_to.active_element.send_keys(Keys.TAB)
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    hand.see("#modal")
    assert "why" == driver.switch_to.active_element.get_attribute("name")
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    hand.until(lambda _: not driver.find_element(By.ID, "modal").is_displayed())
    assert "Grant access and back up" == hand.focused()


UNNAMED = """
const needy = 'button, input, select, textarea, [role=region], section, aside, dialog[open]';
return [...document.querySelectorAll(needy)].filter(e => {
  const own = e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ').map(i =>
    document.getElementById(i)?.textContent ?? '').join('') || [...(e.labels ?? [])].map(l => l.textContent).join('');
  return !(own.trim() || (e.tagName === 'BUTTON' && (e.textContent.trim() || e.closest('dialog'))));
}).map(e => e.outerHTML)
"""
CONTRAST = """
const parse = c => (c.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
const lum = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.hidden, svg') &&
  [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
    const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.textContent.trim().slice(0, 40)]; }).filter(([ratio]) => ratio < 4.5)
"""


def _console(driver: webdriver.Chrome) -> list[Any]:
    lines: list[Any] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return lines


def looks(url: str, driver: webdriver.Chrome) -> list[str]:
    """Return what is wrong with names, contrast or width in each of the page's looks."""
    hand = Hand(driver)
    wrong: list[str] = []
    driver.get(url)
    hand.press("[data-type]")
    hand.see("[data-action=fix]")
    hand.press("#breaker .button", "Break it")
    hand.see("#broken", "Broken")
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for width in (320, 390, 1280):
            metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 800}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.execute_script("document.getAnimations().forEach(a => a.finish())")
            wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
            wrong += [f"{scheme} {width}: {wide} pixels too wide"] if wide > 0 else []
            wrong += [f"{scheme} {width}: contrast {line}" for line in driver.execute_script(CONTRAST)]
    wrong += [f"no name: {line}" for line in driver.execute_script(UNNAMED)]
    wrong += [f"no {name}" for name in ("main", "header", "aside") if not driver.find_elements(By.TAG_NAME, name)]
    wrong += [f"console: {line}" for line in _console(driver)]
    outside = driver.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))"
    )
    return wrong + [f"outside: {name}" for name in outside]


async def test_a_newcomers_first_minutes(browser: webdriver.Chrome) -> None:
    """Command, diagnosis, request, refused stranger, approval, proof and a broken Azure, all by mouse."""
    async with World() as world:
        await asyncio.to_thread(story, world.page.url, browser)

        approvals = [p for p in world.bot.payloads if p.get("actions", [{}])[0].get("action_id") == "approve"]
        assert ["U0EVE", ANA.slack_id] == [payload["user"]["id"] for payload in approvals]
        assert (0, 1, 1) == (world.bot.refused, len(world.faults), world.cleared)


OWN_FORM = """
<form data-action="request" data-value="7"><h3>Request this fix</h3><p>In the bot's own words.</p>
<label>Reason <textarea name="why" required></textarea></label>
<label>Keep it <select name="until"><option value="8">8 hours</option><option value="0">always</option></select></label>
<button type="submit">Request</button></form>
"""


def own_words(message: dict[str, Any]) -> str | None:
    """Draw modals as a form of the bot's own, and buttons that carry their wire value beside the plain one."""
    if message.get("type") == "modal":
        return OWN_FORM
    return (
        '<button data-action="repair" data-value="x" data-payload="7">Fix</button>' if message.get("blocks") else None
    )


def own_form(url: str, driver: webdriver.Chrome) -> None:
    """Open the modal through a button that only its value identifies, and send its form."""
    hand = Hand(driver)
    driver.get(url)
    hand.press("[data-type]")
    hand.press("[data-action=repair]")
    hand.see("#modal-body", "In the bot's own words.")
    assert "Request this fix" not in driver.find_element(By.ID, "modal-body").text
    assert 1 == len([b for b in driver.find_elements(By.CSS_SELECTOR, "#modal button") if b.text == "Request"])
    driver.find_element(By.NAME, "why").send_keys("month end")
    hand.press("#modal-submit")
    hand.until(lambda _: not driver.find_element(By.ID, "modal").is_displayed())


async def test_a_form_of_the_bots_own(browser: webdriver.Chrome) -> None:
    """A fragment that is a form itself becomes the dialog's, with one heading and one submit button."""
    async with World(own_words) as world:
        await asyncio.to_thread(own_form, world.page.url, browser)

        values = world.bot.payloads[-1]["view"]["state"]["values"]
        assert "month end" == values["why"]["text"]["value"]
        assert "8" == values["until"]["hours"]["selected_option"]["value"]


async def test_by_keyboard(browser: webdriver.Chrome) -> None:
    """Everything can be reached and used without a mouse, and the focus stays where it was."""
    async with World() as world:
        await asyncio.to_thread(by_keyboard, world.page.url, browser)


async def test_looks(browser: webdriver.Chrome) -> None:
    """In light and dark, on a phone and a desktop, contrast is AA, nothing overflows, everything has a name."""
    async with World() as world:
        assert [] == await asyncio.to_thread(looks, world.page.url, browser)
