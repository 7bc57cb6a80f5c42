"""Passwords: what is refused, and that strangers cannot take the memory or the threads."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from registry.auth.passwords import LONGEST, QUEUE, THREADS, Passwords, check_new
from registry.core.errors import TooManyRequests, Unprocessable

GOOD = "correct horse: battery"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    found = Passwords()
    yield found
    found.close()


async def test_a_password_is_known_again_and_no_other_is(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert stored != await passwords.hash(GOOD)
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, GOOD + " ")
    assert not passwords.needs_rehash(stored)
    assert passwords.needs_rehash(stored.replace("t=2", "t=1"))


async def test_a_stored_string_that_is_damaged_lets_nobody_in(passwords: Passwords) -> None:
    assert not await passwords.verify("$argon2id$", GOOD)


async def test_an_unknown_account_costs_a_hash_and_lets_nobody_in(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    work = passwords._matches

    def matches(stored: str, password: str) -> bool:
        checked.append(stored)
        return work(stored, password)

    monkeypatch.setattr(passwords, "_matches", matches)
    assert not await passwords.verify(None, GOOD)
    assert not await passwords.verify(None, "nobody has this password")
    assert not await passwords.verify(await passwords.hash(GOOD), "x" * (LONGEST + 1))
    assert [stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for stored in checked] == [True] * 3


@pytest.mark.parametrize("password", ["pässwörter", "a:b:c:d:e:f", "\ud800-a lone half", "0" * 7 + "1" * (LONGEST - 7)])
async def test_any_text_of_a_fair_length_can_be_a_password(passwords: Passwords, password: str) -> None:
    check_new(password, "alice")
    assert await passwords.verify(await passwords.hash(password), password)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "shorter than 8"),
        ("é" * 7, "shorter than 8"),
        ("é" * 513, "longer than 1024"),
        ("Alice-Smith", "name of the account"),
        ("alice-smith123!", "name of the account"),
        ("Password1", "first that are guessed"),
        ("zzzzzzzzzzzz", "first that are guessed"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused_with_the_reason(password: str, words: str) -> None:
    with pytest.raises(Unprocessable, match=words) as caught:
        check_new(password, "alice-smith")
    assert caught.value.status == 422


async def test_a_thousand_wrong_passwords_at_once_take_two_threads_and_a_short_queue(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, seen, lock = threading.Event(), [0, 0], threading.Lock()
    work = passwords._matches

    def matches(stored: str, password: str) -> bool:
        with lock:
            seen[0] = max(seen[0], passwords.running)
        free.wait()
        return work(stored, password)

    monkeypatch.setattr(passwords, "_matches", matches)
    tasks = [asyncio.create_task(passwords.verify(None, f"wrong {number}")) for number in range(1000)]
    refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    while len(refused) < 1000 - THREADS - QUEUE:  # the loop goes on while both threads are stuck
        refused, _ = await asyncio.wait(tasks, timeout=0)
        seen[1] = max(seen[1], passwords.waiting)
    assert passwords.waiting == QUEUE
    errors = [task.exception() for task in refused]
    assert all(isinstance(error, TooManyRequests) and error.headers == {"Retry-After": "1"} for error in errors)
    free.set()
    answers = await asyncio.gather(*(set(tasks) - refused))
    assert answers == [False] * (THREADS + QUEUE)
    assert seen[0] <= THREADS
    assert seen[1] <= QUEUE
    assert (passwords.running, passwords.waiting) == (0, 0)


async def test_who_goes_away_gives_the_place_back(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    monkeypatch.setattr(passwords, "_matches", lambda *_: free.wait())
    tasks = [asyncio.create_task(passwords.verify(None, GOOD)) for _ in range(THREADS + QUEUE)]
    await asyncio.wait(tasks, timeout=0)
    assert passwords.waiting == QUEUE
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    free.set()
    assert passwords.waiting == 0
    monkeypatch.undo()
    assert not await passwords.verify(None, GOOD)
