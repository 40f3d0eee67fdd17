"""Config changes on disk while the console is open: reloaded, never overwritten."""

from __future__ import annotations

from support.file_keyring import file_keyring
from textual.widgets import Input

from sprig_tui.config.save import save_environment
from sprig_tui.config.secret_keyring import new_entry
from sprig_tui.config.secret_reader import read_secrets
from sprig_tui.config.settings import load_settings

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
OTHER = "Bb7UanotherMadeUpKeyOfThirty2c9Q"


async def test_changed_config_is_reloaded_and_a_change_of_another_table_kept(console, screen_text):
    async with console.running() as pilot:
        save_environment(console.paths, "development", {"write_key": OTHER})
        assert await pilot.app.config_editor.reload_if_changed()
        await console.until(lambda: "Bb7U…2c9Q" in screen_text(pilot.app))

        # a change of another table, which comes while a key is typed, is kept
        await console.press("1", "a")
        pilot.app.screen.query_one(Input).value = KEY
        save_environment(console.paths, "development", {"write_key": OTHER[::-1]})
        await console.press("enter")
        await console.until(lambda: "production" in console.config()["environments"])
    assert {name: table["write_key"] for name, table in console.config()["environments"].items()} == {
        "production": KEY,
        "development": OTHER[::-1],
    }


async def test_broken_config_is_warned_of_until_it_is_repaired_and_the_settings_stay(console, screen_text):
    console.keys(production=KEY)
    before = console.paths.config_file.read_text()
    async with console.running(size=(80, 24)) as pilot:
        console.write(before + "[delivery]\nmax_retrys = 4\n")
        await console.until(lambda: any("max_retrys" in said for said in console.notices()))
        pilot.app.clear_notifications()
        await console.press("3")
        await console.until(lambda: "old config in use" in screen_text(pilot.app))
        assert "Environments ── 1 warning" in screen_text(pilot.app)
        await console.press("1")
        await console.until(lambda: "did you mean max_retries?; the previous" in screen_text(pilot.app))
        console.write(before)
        await console.until(lambda: "max_retrys" not in screen_text(pilot.app))
        assert "old config" not in screen_text(pilot.app)

        console.write("[environments.production\n")
        await console.until(lambda: any("not valid TOML" in said for said in console.notices()))
        assert pilot.app.session.settings.environments["production"].write_key is not None
        assert "Zq8T…E1Rk" in screen_text(pilot.app)


async def test_change_on_disk_is_not_overwritten(console):
    console.keys(production=KEY)
    async with console.running() as pilot:
        await console.press("1", "a")
        pilot.app.screen.query_one(Input).value = OTHER
        save_environment(console.paths, "production", {"endpoint": "eu"})
        await console.press("enter")
        await console.until(lambda: any("changed on disk meanwhile" in said for said in console.notices()))
        assert console.config()["environments"]["production"] == {"write_key": KEY, "endpoint": "eu"}
        assert pilot.app.session.settings.environments["production"].endpoint == "eu"


async def test_entries_of_the_keyring_go_with_what_named_them(console, screen_text, tmp_path):
    entry = new_entry(console.paths.config_file, "production", "write_key")
    token = new_entry(console.paths.config_file, "development", "webhook_token")
    with file_keyring(tmp_path) as keyring:
        for reference in (entry, token):
            keyring.set_password(reference.service, reference.user, "x" * 32)
        console.write(
            f'[environments.production]\nwrite_key_keyring = "{entry.entry}"\n'
            f'[environments.development]\nwebhook_token_keyring = "{token.entry}"\n'
            f'write_key_command = ["echo", "{OTHER}"]\n'
        )
        console.load_settings = lambda paths: read_secrets(load_settings(paths))
        async with console.running() as pilot:
            await console.press("1", "k", "a")
            pilot.app.screen.query_one(Input).value = KEY
            await console.press("enter")
            await console.until(lambda: f"removed from the {entry.label}" in console.notices())
            assert console.config()["environments"]["production"] == {"write_key": KEY}
            assert list(keyring.entries) == [token.entry]
            await console.press("j", "x")
            assert "The config no longer names the command echo" in screen_text(pilot.app)
            await console.press("y")
            await console.until(lambda: "key of development removed" in console.notices())
            assert console.config()["environments"]["development"] == {"webhook_token_keyring": token.entry}
            await console.press("X", "y")
            await console.until(lambda: not keyring.entries)
            assert "development" not in console.config()["environments"]


async def test_keys_and_theme_are_reloaded_and_errors_warned_of(console, screen_text):
    console.write('[keys]\nhelp = "f2"\n[console]\ntheme = "nord"\n')
    async with console.running() as pilot:
        assert pilot.app.theme == "nord"
        await console.press("f2")
        assert "Help: Environments" in screen_text(pilot.app)
        await console.press("escape")
        console.write('[keys]\nhelp = "q"\n[console]\ntheme = "nrod"\n')
        await pilot.app.config_editor.reload_if_changed()
        await pilot.pause()
        said = " ".join(pilot.app.preferences.warnings)
        assert "q is to do both help and close-detail" in said
        assert "did you mean nord" in said
        await console.press("question_mark")
        assert "Help:" in screen_text(pilot.app)
