"""The engine port, and DBOS behind it. Nothing else imports dbos.

The engine only carries "drive this row once for this tag" from a commit to a running function, and finds it again after a
crash. It never waits for people or for time: what is due is a ``due_at`` column that :mod:`bot.workflows.ticker` compares
with the clock. So what the engine loses is found again by the tick, and another engine can take its place.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeAlias

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

Drive: TypeAlias = Callable[[str, str], Awaitable[None]]

ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_NAME = "backupbot"
_QUEUE = "work"
# Constant for ever: DBOS leaves work of another version lying. A new meaning of `drive` gets a new workflow name instead.
_VERSION = "drive-1"


class Engine(Protocol):
    """What the drivers need of an engine."""

    async def start(self, drive: Drive) -> None:
        """Begin to run work, that of an earlier process of the same identity included."""
        ...

    def enqueue(self, connection: sa.Connection, kind: str, row_id: str, tag: str) -> None:
        """Within the caller's transaction: run ``drive(kind, row_id)`` once for ``tag``."""
        ...

    async def status(self, kind: str, row_id: str, tag: str) -> str | None:
        """``waiting``, ``running``, ``done`` or ``failed``; None when unknown."""
        ...

    async def cancel(self, kind: str, row_id: str, tag: str) -> None:
        """Forget work that has not begun."""
        ...

    async def take_over(self, alive: frozenset[str]) -> int:
        """Let running work of silent processes run again here or elsewhere; how much there was."""
        ...

    async def prune(self, older_than: timedelta) -> int:
        """Delete ended work; how much there was."""
        ...

    async def stop(self) -> None:
        """Let running work end, for at most 20 seconds, and stop."""
        ...


class DbosEngine:
    """DBOS on SQLite or PostgreSQL, on this process's own loop."""

    def __init__(self, database_url: str, *, executor_id: str, poll_s: float = 0.2, workers: int = 32) -> None:
        self._url = database_url
        self._executor_id = executor_id
        self._poll_s = poll_s
        self._workers = workers
        self._serializer = DBOSPortableJSONSerializer()  # JSON, never pickle
        self._client: DBOSClient | None = None

    @property
    def _dbos_url(self) -> str:
        return self._url.replace("postgresql://", "postgresql+psycopg://", 1)

    async def start(self, drive: Drive) -> None:
        """Launch DBOS on the running loop and begin to take work."""
        DBOS(
            config={
                "name": _NAME,
                "system_database_url": self._dbos_url,
                "application_version": _VERSION,
                "executor_id": self._executor_id,
                "serializer": self._serializer,
                "max_executor_threads": 16,
                "log_level": "WARNING",
                "sys_db_pool_size": 8,
            }
        )

        @DBOS.workflow(name="drive")
        async def run(kind: str, row_id: str) -> None:
            await drive(kind, row_id)

        DBOS.launch()
        self._client = DBOSClient(
            system_database_url=self._dbos_url,
            serializer=self._serializer,
            application_name=_NAME,
            system_database_pool_size=1,
            lazy=True,
        )
        await DBOS.register_queue_async(
            _QUEUE,
            worker_concurrency=self._workers,
            polling_interval_sec=self._poll_s,
            on_conflict="always_update",
        )

    def enqueue(self, connection: sa.Connection, kind: str, row_id: str, tag: str) -> None:
        """Write the work into the caller's transaction; the same (kind, row, tag) twice is once."""
        if self._client is None:
            raise RuntimeError("the engine has not been started")
        self._client.enqueue_in_transaction(
            connection,
            {"workflow_name": "drive", "queue_name": _QUEUE, "workflow_id": f"{kind}:{row_id}:{tag}"},
            kind,
            row_id,
        )

    async def status(self, kind: str, row_id: str, tag: str) -> str | None:
        """What has become of a piece of work."""
        found = await DBOS.get_workflow_status_async(f"{kind}:{row_id}:{tag}")
        if found is None:
            return None
        return {"ENQUEUED": "waiting", "DELAYED": "waiting", "PENDING": "running", "SUCCESS": "done"}.get(
            str(found.status), "failed"
        )

    async def cancel(self, kind: str, row_id: str, tag: str) -> None:
        """Cancel work that waits."""
        await DBOS.cancel_workflow_async(f"{kind}:{row_id}:{tag}")

    async def take_over(self, alive: frozenset[str]) -> int:
        """Resume what a process that is not in ``alive`` was running when it fell silent."""
        count = 0
        for work in await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False):
            if work.executor_id in alive:
                continue
            await DBOS.resume_workflow_async(work.workflow_id, queue_name=work.queue_name)
            count += 1
        return count

    async def prune(self, older_than: timedelta) -> int:
        """Delete what ended before: the open-source engine keeps everything for ever."""
        before = (datetime.now(UTC) - older_than).isoformat()  # noqa: TID251  (the engine stamps wall time)
        count = 0
        while ended := await DBOS.list_workflows_async(
            status=ENDED, completed_before=before, limit=200, load_input=False, load_output=False
        ):
            await DBOS.delete_workflows_async([work.workflow_id for work in ended])
            count += len(ended)
        return count

    async def stop(self) -> None:
        """Drain and shut down; in a thread, since ``destroy`` on the loop would keep the work it waits for from ending."""
        if self._client is not None:
            client, self._client = self._client, None
            await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=20, destroy_registry=True)
            # DBOS had made its own thread pool the loop's; it is gone now, and others still need one.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="backupbot"))
            await asyncio.to_thread(client.destroy)
