"""The demo as a newcomer runs it: to its end, into a wall, and left running for a browser."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.support import BARE, PROGRAM, run

pytestmark = pytest.mark.xdist_group("e2e-demo")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--window-size=1280,1600",
)


async def test_the_story_is_played_to_its_end(tmp_path: Path) -> None:
    """Exit 0 with every chapter, both refusals, the proof, the record and three things to try; nothing on stderr."""
    ran = await run("demo", env={"HOME": str(tmp_path), "AZURE_CLIENT_ID": "inherited"}, cwd=tmp_path, within_s=120)

    assert (0, "") == (ran.code, ran.err), ran.out[-2000:]
    for words in (
        "CRITICAL vm-erp-01 in vault-prod-01: backup failed 3×",
        "somebody else must approve (four eyes)",
        "you are not among the approvers",
        "GOOD Proved: Grant Key Vault access",
        "GOOD Closed: vm-erp-01",
        "run.proved",
        "The chain holds",
        "Three things to try next",
    ):
        assert words in ran.out, words
    assert "https://portal.azure.com" not in ran.out
    assert len(ran.out.splitlines()) < 200


async def test_a_story_that_cannot_be_played_says_where(tmp_path: Path) -> None:
    """In an estate without the vault: exit 1 with the step and the reason, no traceback."""
    ran = await run("demo", "--estate", "quiet", env={"HOME": str(tmp_path)}, cwd=tmp_path, within_s=60)

    assert (1, "") == (ran.code, ran.err)
    assert "The demo failed: at step 1, Azure Monitor says that a backup failed: There is no vault" in ran.out
    assert "Traceback" not in ran.out


@pytest.mark.browser
async def test_the_story_in_a_browser(tmp_path: Path) -> None:
    """demo --serve prints one address; there the command, the fix, the approval and the proof are a few clicks."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with ChromeDriver is installed (Debian: chromium, chromium-driver)")
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "demo",
        "--serve",
        env={**BARE, "HOME": str(tmp_path)},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        url = ""
        async with asyncio.timeout(60):
            while not url:
                line = (await process.stdout.readline()).decode()
                assert line, "it ended"
                url = line.partition("Open ")[2].strip()
        await asyncio.to_thread(browse, url)
    finally:
        process.terminate()
        _, err = await process.communicate()
    assert 0 == process.returncode
    assert b"Traceback" not in err


def browse(url: str) -> None:
    """What a newcomer does."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tempfile.mkdtemp(prefix="demo-profile-")
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        story(url, driver, lambda look: WebDriverWait(driver, 60, poll_frequency=0.1).until(look))
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def story(url: str, driver: Any, until: Callable[[Callable[[Any], Any]], Any]) -> None:
    """The command, the card, another persona, the approval, the proof."""

    def see(selector: str, *words: str) -> Any:
        def look(_: Any) -> Any:
            return driver.execute_script(
                "return [...document.querySelectorAll(arguments[0])].findLast("
                "e => e.checkVisibility() && arguments[1].every(w => e.innerText.includes(w))) ?? null",
                selector,
                list(words),
            )

        return until(look)

    def press(card: tuple[str, ...], label: str) -> None:
        def click(_: Any) -> Any:
            return driver.execute_script(
                "const card = [...document.querySelectorAll('.card')].findLast("
                "e => e.checkVisibility() && arguments[0].every(w => e.innerText.includes(w)));"
                "const button = card && [...card.querySelectorAll('button')].find("
                "b => b.innerText.trim() === arguments[1]);"
                "if (button) button.click(); return !!button",
                list(card),
                label,
            )

        until(click)

    driver.get(url)
    box = see("#composer input, #composer textarea")
    box.clear()
    box.send_keys("/backup status vault-prod-01")
    see("#composer button").click()
    see(".card", "vm-erp-01", "vm-web-01")
    box.clear()
    box.send_keys("/backup fix rerun_backup vm-web-01")
    see("#composer button").click()
    see(".card", "Approval needed", "Run the backup again")
    press(("Approval needed", "Run the backup again"), "Approve")
    see("body", "four eyes")
    see(".segments label", "Ana").click()
    press(("Approval needed", "Run the backup again"), "Approve")
    see(".card", "Proved", "Run the backup again")
