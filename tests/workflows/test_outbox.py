"""Messages: each in its latest state, in their order, never twice, and none stuck behind another."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa

from adaptive_cards.card import Card, Form, Text
from bot.store import tables as t
from bot.store.store import Place, Row
from bot.workflows import outbox
from bot.workflows.outbox import Messenger, MessengerError, Outbox, Ref
from tests.workflows.world import World, world_on


@dataclass
class Chat:
    """A chat platform in memory that may fail before or after it took a message."""

    posted: list[tuple[str, str, str]] = field(default_factory=list)
    """(key, text, thread's ts)."""
    updated: list[tuple[str, str]] = field(default_factory=list)
    whispered: list[str] = field(default_factory=list)
    searched: int = 0
    before: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)

    def _fail(self, errors: list[Exception]) -> None:
        if errors:
            raise errors.pop(0)

    async def post(self, channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        self._fail(self.before)
        self.posted.append((key, card.summary, (thread or {}).get("ts", "")))
        self._fail(self.after)
        return {"channel": channel, "ts": f"ts-{len(self.posted)}"}

    async def update(self, ref: Ref, card: Card, *, revision: int, key: str) -> None:
        self._fail(self.before)
        self.updated.append((ref["ts"], card.summary))

    async def whisper(self, channel: str, card: Card, *, reply: Ref) -> None:
        self._fail(self.before)
        self.whispered.append(card.summary)

    async def find(self, channel: str, thread: Ref | None, key: str) -> Ref | None:
        self.searched += 1
        for number, (posted, _, _) in enumerate(self.posted, start=1):
            if posted == key:
                return {"channel": channel, "ts": f"ts-{number}"}
        return None

    async def open_form(self, form: Form, *, reply: Ref) -> None:
        raise MessengerError("no forms here", permanent=True)


@dataclass
class Post:
    """An outbox over a chat."""

    world: World
    chat: Chat = field(default_factory=Chat)
    box: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        messengers: dict[str, Messenger] = {"slack": self.chat}
        self.box = Outbox(store=self.world.store, messengers=messengers, owner="me")

    async def say(self, key: str, text: str, thread: str = "", channel: str = "C0", platform: str = "slack") -> None:
        card = Card(summary=text, elements=(Text(text),), severity=None, simulated=False, key=key)
        async with self.world.store.begin() as tx:
            await tx.say(key, Place(platform=platform, channel=channel, thread_key=thread), card)

    async def row(self, key: str) -> Row:
        row = await self.world.store.one(sa.select(t.outbox).where(t.outbox.c.key == key))
        assert row is not None
        return row

    async def now_due(self) -> None:
        """Every pause is over, and every claim is old."""
        old = outbox._now() - timedelta(hours=1)
        async with self.world.store.begin() as tx:
            await tx.execute(t.outbox.update().where(t.outbox.c.due_at.is_not(None)).values(due_at=old))
            await tx.execute(t.outbox.update().where(t.outbox.c.sending_at.is_not(None)).values(sending_at=old))
        self.box._sent_at.clear()

    def just_sent(self) -> None:
        """However slow the machine is: what was sent was sent this moment."""
        self.box._sent_at = dict.fromkeys(self.box._sent_at, time.monotonic())

    async def deliver(self, rounds: int = 3) -> None:
        for _ in range(rounds):
            await self.box.deliver_due()


@pytest.fixture
async def post(database_url: str) -> AsyncIterator[Post]:
    async with world_on(database_url) as world:
        yield Post(world)


async def test_only_the_latest_state_is_sent(post: Post) -> None:
    """Three states before the first delivery: one message with the last one."""
    for text in ("one", "two", "three"):
        await post.say("k", text)
    await post.deliver()
    assert [("k", "three", "")] == post.chat.posted
    row = await post.row("k")
    assert ("sent", 3, 3, None) == (row["state"], row["revision"], row["sent_revision"], row["sending_at"])


async def test_a_message_is_updated_at_most_once_a_second(post: Post) -> None:
    """Twenty changes within a moment: the post, and after the pause one update with the last."""
    await post.say("k", "0")
    await post.deliver()
    for number in range(1, 21):
        await post.say("k", str(number))
        post.just_sent()
        await post.deliver(1)
    assert [] == post.chat.updated
    post.box._sent_at.clear()
    await post.deliver()
    assert [("ts-1", "20")] == post.chat.updated
    assert 1 == len(post.chat.posted)


async def test_what_changes_while_it_is_sent_is_sent_again(post: Post) -> None:
    """A newer state that was written during the call stays due."""
    await post.say("k", "old")
    inner = post.chat.post

    async def slow(channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        await post.say("k", "new")
        return await inner(channel, thread, card, key=key, reply=reply)

    post.chat.post = slow  # type: ignore[method-assign]  # this chat is ours
    await post.deliver(1)
    await post.now_due()
    await post.deliver()
    assert [("ts-1", "new")] == post.chat.updated


async def test_an_answer_waits_for_its_thread(post: Post) -> None:
    """The answer is written first, its thread's first message later: they arrive in order, in the thread."""
    await post.say("answer", "second", thread="first")
    await post.say("first", "first")
    await post.deliver()
    assert [("first", "first", ""), ("answer", "second", "ts-1")] == post.chat.posted


async def test_an_answer_to_an_answer_belongs_to_the_thread(post: Post) -> None:
    """Threads have one level: the reminder of a request in an incident's thread goes into that thread."""
    await post.say("incident", "one")
    await post.say("approval", "two", thread="incident")
    await post.deliver()
    await post.say("reminder", "three", thread="approval")
    await post.deliver()
    assert ["", "ts-1", "ts-1"] == [thread for _, _, thread in post.chat.posted]


async def test_an_answer_whose_thread_failed_goes_to_the_channel(post: Post) -> None:
    """Better in the channel than nowhere."""
    post.chat.before = [MessengerError("no such channel", permanent=True)]
    await post.say("first", "first")
    await post.deliver(1)
    await post.say("answer", "second", thread="first")
    await post.say("orphan", "third", thread="never")
    await post.deliver()
    assert [("answer", "second", ""), ("orphan", "third", "")] == post.chat.posted


async def test_waiting_answers_do_not_keep_their_threads_out(post: Post) -> None:
    """A storm: more answers wait than one round takes, and their first messages were written after them."""
    for number in range(outbox.AT_ONCE + 10):
        await post.say(f"answer-{number}", "answer", thread=f"first-{number}")
    for number in range(outbox.AT_ONCE + 10):
        await post.say(f"first-{number}", "first")
    await post.deliver(6)
    assert 2 * (outbox.AT_ONCE + 10) == len(post.chat.posted)


async def test_a_platform_that_is_off_keeps_nobody_waiting(post: Post) -> None:
    """Messages for a platform that was switched off stay, and the others are sent."""
    for number in range(outbox.AT_ONCE + 1):
        await post.say(f"off-{number}", "off", platform="teams")
    await post.say("on", "on")
    await post.deliver(1)
    assert [("on", "on", "")] == post.chat.posted


async def test_retry_after_is_kept_to(post: Post) -> None:
    """Asked to wait five minutes: due in five minutes, also when the state changes meanwhile."""
    post.chat.before = [MessengerError("slow down", retry_after=timedelta(minutes=5))]
    await post.say("k", "one")
    await post.deliver()
    wait = (await post.row("k"))["due_at"] - outbox._now()
    assert timedelta(minutes=4) < wait <= timedelta(minutes=5)
    await post.say("k", "two")
    await post.deliver()
    assert [] == post.chat.posted
    await post.now_due()
    await post.deliver()
    assert ([("k", "two", "")], 0) == (post.chat.posted, post.chat.searched)


async def test_a_permanent_refusal_ends_it_and_the_next_state_tries_anew(post: Post) -> None:
    """Not sent again by itself; kept with its reason."""
    post.chat.before = [MessengerError("not in the channel", permanent=True)]
    await post.say("k", "one")
    await post.deliver()
    row = await post.row("k")
    assert ("failed", "not in the channel", []) == (row["state"], row["error"], post.chat.posted)
    await post.say("k", "two")
    await post.deliver()
    assert [("k", "two", "")] == post.chat.posted


async def test_a_lost_answer_does_not_post_twice(post: Post) -> None:
    """Slack took the message and its answer was lost: it is found by its key, also after another state was written."""
    post.chat.after = [MessengerError("Slack did not answer")]
    await post.say("k", "one")
    await post.deliver(1)
    await post.say("k", "two")
    await post.now_due()
    await post.deliver()
    assert ([("k", "one", "")], [("ts-1", "two")]) == (post.chat.posted, post.chat.updated)


async def test_a_crash_between_sending_and_writing_it_down_does_not_post_twice(post: Post) -> None:
    """Killed after the post: the next process finds it and updates it."""
    post.chat.after = [asyncio.CancelledError()]  # type: ignore[list-item]  # as a kill looks from inside
    await post.say("k", "one")
    with pytest.raises(BaseException):  # noqa: B017, PT011  (whatever the task group makes of it)
        await post.deliver(1)
    assert "due" == (await post.row("k"))["state"]
    post.restart()
    await post.deliver()
    assert 1 == len(post.chat.posted), "the claim of the dead is respected until it is old"
    await post.now_due()
    await post.deliver()
    assert (1, 1) == (len(post.chat.posted), post.chat.searched)
    assert "sent" == (await post.row("k"))["state"]


async def test_a_process_that_starts_does_not_wait_for_its_own_old_claims(post: Post) -> None:
    """The next process of the same name looks for what was claimed at once, and does not post it twice."""
    post.chat.after = [asyncio.CancelledError()]  # type: ignore[list-item]  # as a kill looks from inside
    await post.say("k", "one")
    with pytest.raises(BaseException):  # noqa: B017, PT011  (whatever the task group makes of it)
        await post.deliver(1)
    post.restart()
    loop = asyncio.create_task(post.box.run())
    async with asyncio.timeout(10):
        while (await post.row("k"))["state"] != "sent":
            await asyncio.sleep(0.02)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert (1, 1) == (len(post.chat.posted), post.chat.searched)


async def test_two_replicas_send_a_message_once(post: Post) -> None:
    """Both deliver at the same moment: one claims, one posts."""
    messengers: dict[str, Messenger] = {"slack": post.chat}
    other = Outbox(store=post.world.store, messengers=messengers, owner="other")
    for number in range(10):
        await post.say(f"k-{number}", "one")
    await asyncio.gather(post.box.deliver_due(), other.deliver_due())
    await asyncio.gather(post.box.deliver_due(), other.deliver_due())
    assert 10 == len(post.chat.posted)
    assert 10 == len({key for key, _, _ in post.chat.posted})


async def test_a_card_that_cannot_be_drawn_does_not_stop_the_others(post: Post) -> None:
    """A fault of our own in one message: it is tried and given up, the loop goes on."""
    post.chat.before = [KeyError("a bug")]
    await post.say("bad", "one")
    await post.deliver(1)
    await post.say("good", "two")
    await post.deliver()
    assert [("good", "two", "")] == post.chat.posted
    assert "a fault of the bot" in (await post.row("bad"))["error"]


async def test_a_message_that_is_gone_is_posted_anew(post: Post) -> None:
    """Somebody deleted it: the next state is a new message, which is the one that is kept up to date from then on."""
    await post.say("k", "one")
    await post.deliver()
    post.chat.before = [MessengerError("message_not_found", permanent=True)]
    await post.say("k", "two")
    await post.now_due()
    await post.deliver()
    await post.say("k", "three")
    await post.now_due()
    await post.deliver()
    assert (["one", "two"], [("ts-2", "three")]) == ([text for _, text, _ in post.chat.posted], post.chat.updated)
