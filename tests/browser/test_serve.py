"""The console in a browser: the real server, real processes, and a WebSocket for a browser."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from sprig_tui.cli.program import run
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.console.remembered import Remembered, RememberedFile

from .conftest import Serving, gone

TOKEN = "0123456789abcdef0123456789abcdef"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is refused
Start = Callable[..., Awaitable[Serving]]


def what_others_see(pid: int, *names: str) -> bytes:
    """Command line and variables of a process."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in names or ("cmdline", "environ"))


async def test_without_a_token_this_machine_may_look(serving: Start) -> None:
    up = await serving("--max-sessions", "2")
    page = await up.get()
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    for name in re.findall(r'(?:src|href)="(static/[^"]+)"', await page.text()):
        assert (await up.get(f"/{name}")).status == 200, name
    assert not re.search(r'(?:src|href)="(?!static/|data:,)', await page.text())
    assert (await up.get("/static/..%2fapp.py")).status == 404
    assert (await up.get(headers={"host": "evil.example"})).status == 421
    for origin, status in ((None, 403), ("http://evil.example", 403), ("http://127.0.0.1:1", 403)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await up.http.ws_connect(f"{up.url}/ws", origin=origin)
        assert refused.value.status == status
    assert up.consoles() == []

    first = await up.open()
    await first.shows("read-only", "paste answers to see them", "no deliveries yet")
    await first.type("3/user:nobody")
    await first.shows("/user:nobody")
    await first.type("\r")
    await first.type("o")
    await first.shows("a console in a browser reaches no file")
    await first.type("\x1b[200~/etc/hostname\x1b[201~")
    await first.shows("paste the records themselves")
    await first.type('\x1b[200~{"userId": "acct_77", "question": "Ok?", "response": 5}\x1b[201~')
    await first.shows("text pasted at")
    await first.type("\x1b[200~no\x1b@\x1b[201~")  # no letter of it is a key
    await first.shows("nothing was opened")
    assert "does nothing" not in first.text
    await first.resize(60, 20)
    await first.type("?")
    await first.shows("Help")
    # a browser gives each key whole, so that escape is none with alt, however soon the next key comes
    await first.type("\x1b")
    await first.type("@")
    await first.shows("Notices")
    assert "/etc" not in first.text

    second = await up.open()
    await second.shows("read-only")
    crowd = await up.open()
    assert await crowd.ended() == 1013
    assert "2 consoles are open" in crowd.text
    one, other = up.consoles()
    await second.type("q")
    assert await second.ended() == 1001
    await gone(other)
    await first.websocket.send_str('["resize",{"width":1e9}]')  # no page of ours sends that
    assert await first.ended() == 1001
    await gone(one)
    assert await up.program.stop() == 0


async def test_the_token_lets_act_and_is_seen_by_nobody_else(serving: Start, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"userId": "acct_1"}\n')
    shown_at_the_terminal = Remembered(files=(str(tmp_path / "answers.jsonl"),), filter="status:failed")
    RememberedFile(paths_in_folder(str(tmp_path / "home")).state_dir, writes=True).write(shown_at_the_terminal)
    up = await serving(token=TOKEN)
    for path in ("/", "/?token=wrong", f"/?token={TOKEN[:-1]}"):
        assert (await up.get(path)).status == 401
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await up.open()
    assert refused.value.status == 401
    elsewhere = {"data": {"token": TOKEN}, "headers": {"origin": "http://evil.example"}}
    async with up.http.post(f"{up.url}/login", **elsewhere) as response:
        assert response.status == 403
    entered = await up.get(f"/?token={TOKEN}")
    assert (entered.status, entered.headers["location"]) == (303, "./")
    assert entered.headers["referrer-policy"] == "same-origin"
    up.http.cookie_jar.clear()
    async with up.http.post(f"{up.url}/login", data={"token": TOKEN}) as response:
        assert response.status == 200
        assert 'id="terminal"' in await response.text()

    browser = await up.open()
    # neither the file nor the filter of the person at the terminal
    await browser.shows("Production", "no deliveries yet", "paste answers to see them", "Deliveries ── 0 ──")
    assert "read-only" not in browser.text
    await browser.type("1v")
    await browser.shows("reveal: a console in a browser")
    assert "F" * 32 not in browser.text
    await browser.type("a")
    await browser.shows("Write key of production")
    (console,) = up.consoles()
    assert TOKEN.encode() not in what_others_see(console) + what_others_see(up.program.process.pid, "cmdline")
    assert TOKEN not in "\n".join(up.program.lines)
    # the server is gone at once: nobody ends the console but the console
    await up.program.kill()
    await gone(console)


async def test_a_console_nobody_uses_ends_and_those_of_a_stopped_server_too(serving: Start) -> None:
    up = await serving("--idle-timeout", "300ms", "--read-only", token=TOKEN)
    await up.get(f"/?token={TOKEN}")
    idle = await up.open()
    assert await idle.ended() == 1001
    assert "nothing was typed for" in idle.text
    assert await up.program.stop() == 0

    up = await serving()
    browser = await up.open()
    await browser.shows("read-only")
    (console,) = up.consoles()
    killed = await up.open()
    await killed.shows("read-only")
    os.kill(max(up.consoles()), signal.SIGKILL)
    assert await killed.ended() == 1001
    assert "the console ended: it was ended by signal 9" in killed.text
    assert await asyncio.gather(up.program.stop(), browser.ended()) == [0, 1001]
    assert "the server is stopping" in browser.text
    await gone(console)


async def test_a_console_that_cannot_start_says_why(serving: Start, tmp_path: Path) -> None:
    up = await serving()
    (tmp_path / "home" / "config.toml").write_text("[environments")
    browser = await up.open()
    assert await browser.ended() == 1001
    assert "config.toml: " in browser.text.replace("\n", "")
    assert "Traceback" not in browser.text


@pytest.mark.parametrize(
    ("options", "token", "said"),
    [
        (["--host", EVERYWHERE], "", "no token is set"),
        (["--public-url", "https://sprig.example"], "", "no token is set"),
        (["--host", EVERYWHERE], TOKEN, "without TLS"),
        (["--host", EVERYWHERE, "--public-url", "http://sprig.example"], TOKEN, "without TLS"),
        ([], "short", "too few"),
        (["--public-url", "sprig.example"], TOKEN, "--public-url"),
        (["--keyfile", "key.pem"], TOKEN, "--keyfile needs --certfile"),
    ],
)
def test_what_would_let_strangers_in_is_refused(
    options: list[str],
    token: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SPRIG_TUI_HOME", str(tmp_path))
    monkeypatch.setenv("SPRIG_TUI_SERVE_TOKEN", token)
    assert run(["serve", "--port", "0", *options]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert token not in captured.err or not token


async def test_every_address_of_the_pages_stays_below_the_path_of_a_proxy(serving):
    """A proxy that serves the console at /sprig/ passes on what is below that, and nothing else."""
    below = "https://sprig.example.com/sprig/"
    up = await serving(token=TOKEN)
    login = await (await up.get("/")).text()
    entered = await up.get(f"/?token={TOKEN}")
    assert urljoin(below, entered.headers["location"]) == below
    page = await (await up.get("/")).text()
    assert 'id="terminal"' in page
    style = await (await up.get("/static/page.css")).text()
    links = [(below, link) for link in re.findall(r'(?:href|src|action)="([^"]+)"', login + page)]
    links += [(f"{below}static/", link) for link in re.findall(r'url\("([^"]+)"\)', style)]
    assert len(links) >= 8
    for base, link in links:
        if link.startswith("data:"):
            continue
        address = urljoin(base, link)
        assert address.startswith(below), link
        # the form is posted, and everything else is read
        assert (await up.get(f"/{address.removeprefix(below)}")).status == (405 if link == "login" else 200), link
    assert 'new URL("ws", location.href)' in await (await up.get("/static/page.js")).text()
