"""The disk is full, fails or is held by others: webhooks get 503 in time, `/readyz` says so, and then all is well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from support import reconcile
from support.programs import TOKEN, Program, Programs
from support.webhook_senders import anonymous, request

from sprig_tui.journal.records import State

PAUSE_S = 0.02
"""Seconds between two questions of one who waits for the end of a trouble."""
SPRIGS_PATIENCE_S = 5.0
"""Seconds after which Sprig hangs up (facts: observed, undocumented)."""

Trouble = Callable[[Program, Path], AbstractAsyncContextManager[None]]


async def answer(port: int, sent: bytes) -> tuple[int, bytes]:
    """Status and body, or TimeoutError after Sprig's patience."""
    async with asyncio.timeout(SPRIGS_PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.index(b"content-length:") + 15
            return int(head[9:12]), await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        finally:
            writer.close()


async def readiness(port: int) -> tuple[int, str]:
    asked = f"GET /readyz HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    status, body = await answer(port, asked.encode())
    return status, str(json.loads(body)["journal"])


@asynccontextmanager
async def file_size_limit(program: Program, path: Path) -> AsyncIterator[None]:
    """No file may grow any more: the log is at the end of what it may have."""
    pid = program.process.pid
    limit = path.with_name(path.name + "-wal").stat().st_size
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def full_disk(_: Program, path: Path) -> AsyncIterator[None]:
    """Somebody else fills it to the last byte."""
    filler = path.with_name("filler")

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass

    await asyncio.to_thread(fill)
    yield
    filler.unlink()


@asynccontextmanager
async def write_lock(_: Program, path: Path) -> AsyncIterator[None]:
    """Another program holds SQLite's write lock."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def failing_disk(_: Program, path: Path) -> AsyncIterator[None]:
    """Writing and syncing give EIO, as the shim below says while its file is there."""
    path.with_name("eio").touch()
    yield
    path.with_name("eio").unlink()


async def in_trouble_and_after(
    programs: Programs, place: str, path: Path, trouble: Trouble, environ: dict[str, str] | None = None
) -> None:
    """Take webhooks before, while and after; what was acknowledged is there, and nothing else is called so."""
    programs.configure(place, "http://127.0.0.1:1")
    programs.more_environ = environ or {}
    receiver, port = await programs.listen(0, "--no-engine", "--status-every", "0")
    acknowledged = set()

    async def send(number: int) -> int:
        status, body = await answer(port, request(number))
        if status == 200:
            acknowledged.add(number)
        else:
            assert status == 503, (status, body)
        return status

    for number in range(1, 6):
        assert await send(number) == 200
    assert (await readiness(port))[0] == 200
    async with trouble(receiver, path):
        refused = 0
        for number in range(100, 200):
            refused += await send(number) == 503
            if refused == 2:
                break
        assert refused == 2
        status, said = await readiness(port)
        assert (status, said != "writable") == (503, True), said
    async with asyncio.timeout(60):
        while await send(300) != 200:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(PAUSE_S)
        while (await readiness(port))[0] != 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(PAUSE_S)
        for number in range(100, 105):  # what was refused may be there all the same, and is known then
            while await send(number) != 200:  # noqa: ASYNC110 - as above
                await asyncio.sleep(PAUSE_S)
        assert await receiver.stop() == 0
    stored = await reconcile.by_answer(place)
    assert {f"answer {number}" for number in acknowledged} <= set(stored)
    assert {state for number in acknowledged if not anonymous(number) for state in [stored[f"answer {number}"]]} == {
        State.QUEUED
    }


@pytest.fixture
async def programs(tmp_path) -> AsyncIterator[Programs]:
    async with Programs(tmp_path / "home") as started:
        yield started


async def test_another_program_holds_the_file(tmp_path, programs):
    await in_trouble_and_after(programs, str(tmp_path / "j.db"), tmp_path / "j.db", write_lock)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes are Linux's")
async def test_a_limit_of_file_sizes(tmp_path, programs):
    await in_trouble_and_after(programs, str(tmp_path / "j.db"), tmp_path / "j.db", file_size_limit)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


async def test_a_full_disk(small_disk, programs):
    await in_trouble_and_after(programs, str(small_disk / "j.db"), small_disk / "j.db", full_disk)


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>
static int fails(int fd) {
  char link[64], name[4096];
  if (access(getenv("EIO_FILE"), F_OK)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, name, sizeof name - 1);
  if (n < 0) return 0;
  name[n] = 0;
  return strstr(name, "j.db") != 0;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
  if (!strcmp(getenv("EIO_WHAT"), "write") && fails(fd)) { errno = EIO; return -1; }
  return real(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }
int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (!strcmp(getenv("EIO_WHAT"), "sync") && fails(fd)) { errno = EIO; return -1; }
  return real(fd);
}
int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  if (!strcmp(getenv("EIO_WHAT"), "sync") && fails(fd)) { errno = EIO; return -1; }
  return real(fd);
}
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    """A library that makes the disk fail, where there is a compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no compiler, or no Linux")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(textwrap.dedent(SHIM))
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", "shim.so", "shim.c", "-ldl"], cwd=folder, capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(made.stderr.decode())
    return folder / "shim.so"


@pytest.mark.parametrize("what", ["write", "sync"])
async def test_a_disk_that_fails(tmp_path, programs, shim, what):
    environ = {"LD_PRELOAD": str(shim), "EIO_FILE": str(tmp_path / "eio"), "EIO_WHAT": what}
    await in_trouble_and_after(programs, str(tmp_path / "j.db"), tmp_path / "j.db", failing_disk, environ)


async def test_a_table_is_locked(tmp_path, programs, own_place):
    @asynccontextmanager
    async def locked(_: Program, __: Path) -> AsyncIterator[None]:
        connection = await asyncpg.connect(own_place)
        async with connection.transaction():
            await connection.execute("LOCK TABLE sprig_tui.deliveries IN SHARE MODE")
            yield
        await connection.close()

    await in_trouble_and_after(programs, own_place, tmp_path, locked)


async def test_a_server_that_is_frozen(tmp_path, programs, own_server, own_place):
    @asynccontextmanager
    async def frozen(_: Program, __: Path) -> AsyncIterator[None]:
        own_server.freeze()
        yield
        own_server.thaw()

    await in_trouble_and_after(programs, own_place, tmp_path, frozen)
