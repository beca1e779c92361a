"""The console as people meet it: served by its command, in headless Chromium, on a desk and on a phone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from corpus_verify.keys import read_public
from corpus_verify.proof import check
from tests.whole_dataset import Whole, whole_dataset

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
DRIVER = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
PICTURES = Path(os.environ.get("CI_ARTIFACTS") or Path(__file__).parent.parent / ".build") / "screenshots"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)
FAULTS = (Path(__file__).parent / "page_faults.js").read_text(encoding="utf-8")
START_LIMIT = 10.0
"""Seconds from the command to the first page, on a busy machine; docs/console.md says what is usual."""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs Chromium and its driver: apt-get install chromium chromium-driver, or name both by CHROMIUM and "
    "CHROMEDRIVER",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def served(whole: Whole) -> Iterator[tuple[str, str]]:
    """The address of a console that looks people up, and its token."""
    command = [sys.executable, "-c", "from corpus.cli import main; main()", "serve", "--port", "0", "--restricted"]
    command += ["--warehouse", str(whole.warehouse), "--key", str(whole.key_file)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as console:
        assert console.stdout
        first, _, token = (console.stdout.readline() for _ in range(3))
        assert time.monotonic() - began < START_LIMIT
        yield first.split(" are at ")[1].split(" ")[0].rstrip("/"), token.strip()
        console.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    folder = tmp_path_factory.mktemp("browser")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS.split(), f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    driver = Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


def page(browser: Chrome, address: str, width: int = 1280) -> str:
    """What a page says, at a width of the window's inside."""
    wide(browser, width)
    browser.get(address)
    return browser.find_element(By.TAG_NAME, "main").text


def wide(browser: Chrome, width: int, height: int = 900) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(browser: Chrome, name: str) -> None:
    """Keeps the whole page, and holds it to its width and to what it may load."""
    inside, whole_width = browser.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert whole_width <= inside, f"{name} is wider than its window"
    assert not complaints(browser), f"{name}: the browser complains"
    high = int(browser.execute_script("return document.documentElement.scrollHeight"))
    wide(browser, inside, min(max(high, 500), 4000))
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(PICTURES / f"{name}.png"))
    wide(browser, inside)


def complaints(browser: Chrome) -> list[dict[str, str]]:
    """What the browser logged since it was last asked: blocked by the policy, not found, broken."""
    found: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return found


def sign_in(browser: Chrome, address: str, token: str) -> None:
    page(browser, f"{address}/uk-social/ask")
    browser.find_element(By.NAME, "name").send_keys("Ann Officer")
    browser.find_element(By.NAME, "token").send_keys(token.lower())
    submit(browser, "token")


def look_up(browser: Chrome, address: str, kind: str, name: str) -> str:
    page(browser, f"{address}/uk-social/ask")
    browser.find_element(By.CSS_SELECTOR, f"input[value={kind}]").click()
    browser.find_element(By.NAME, "id").send_keys(name)
    browser.find_element(By.NAME, "purpose").send_keys("complaint 2026-118")
    submit(browser, "purpose")
    return browser.find_element(By.TAG_NAME, "main").text


def submit(browser: Chrome, field: str) -> None:
    """Sends the form of a field, as Enter does, and waits for the page that answers."""
    before = browser.find_element(By.TAG_NAME, "main")
    browser.find_element(By.NAME, field).send_keys(Keys.ENTER)
    WebDriverWait(browser, 30).until(staleness_of(before))


def test_pages_of_a_dataset_fit_a_desk_and_a_phone(served: tuple[str, str], browser: Chrome) -> None:
    address, _ = served
    says = {
        "timeline": ("/", "3 versions so far"),
        "version": ("/uk-social@1", "Called back"),
        "changes": ("/uk-social@1..3", "What changed between two versions"),
        "uses": ("/uk-social/uses", "tram-3b"),
        "recalls": ("/uk-social/recalls", "tram-1b"),
        "error": ("/uk-socal", "did you mean 'uk-social'?"),
    }
    for name, (path, expected) in says.items():
        for width, suffix in ((1280, ""), (360, "-narrow")):
            assert expected in page(browser, address + path, width)
            if name == "error":
                complaints(browser)  # it says that the page is not there, as it is
            picture(browser, name + suffix)


def test_pages_are_made_for_keyboards_and_screen_readers(served: tuple[str, str], browser: Chrome) -> None:
    address, _ = served
    for path in ("/", "/uk-social@1", "/uk-social@1..3", "/uk-social/uses", "/-/sign-in"):
        page(browser, address + path)
        found = browser.execute_script(FAULTS)
        assert not found, f"{path}: {found}"
    page(browser, f"{address}/uk-social")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the content"
    assert focused.location["x"] >= 0
    focused.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.tag_name == "main"


def test_an_officer_signs_in_looks_up_and_takes_a_proof(whole: Whole, served: tuple[str, str], browser: Chrome) -> None:
    address, token = served
    page(browser, f"{address}/-/sign-in")
    picture(browser, "sign-in")
    sign_in(browser, address, token)
    picture(browser, "look-up")
    assert "Yes. This post is in uk-social@3." in look_up(browser, address, "post", "p2")
    picture(browser, "post-in")
    assert "left out of uk-social@3 because the author objected" in look_up(browser, address, "post", "p1")
    picture(browser, "post-out")
    wide(browser, 360)
    picture(browser, "post-out-narrow")
    assert "uk-social@3 holds no post of this account" in look_up(browser, address, "account", "account of p1")
    picture(browser, "account-out")
    assert not browser.execute_script(FAULTS)
    assert "p1" not in browser.current_url
    browser.find_element(By.CSS_SELECTOR, "form[action$=proof] button").click()
    proof = _downloaded(Path(browser.capabilities["chrome"]["userDataDir"]).parent)
    claim = check(proof.read_bytes(), read_public(whole.folder / "evidence/public.pem")).claim
    assert (claim.id, claim.is_in) == ("account of p1", False)
    browser.find_element(By.CSS_SELECTOR, ".who button").click()
    WebDriverWait(browser, 30).until(lambda now: now.find_element(By.LINK_TEXT, "Sign in"))
    page(browser, f"{address}/uk-social/ask")
    assert browser.current_url.startswith(f"{address}/-/sign-in")


def _downloaded(folder: Path) -> Path:
    for _ in range(100):
        if found := [*folder.glob("*.proof.json")]:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no proof was downloaded")
