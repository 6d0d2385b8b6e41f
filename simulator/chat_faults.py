"""What the chat page's *Break something* menu offers, as bodies for the simulator's `/_sim/faults`."""

from dataclasses import dataclass

from simulator.chat_wire import Json


@dataclass(frozen=True)
class Breakage:
    """One thing to break: the menu's words, what people then see, and the fault that is posted."""

    id: str
    label: str
    effect: str
    fault: Json


BREAKAGES: tuple[Breakage, ...] = (
    Breakage(
        "azure-503",
        "Azure stops answering",
        "The next 40 reads are answered 503. What cannot be read must show as unknown, never as fine.",
        {"method": "GET", "path": ".*/subscriptions/.*", "status": 503, "retry_after": 1, "count": 40},
    ),
    Breakage(
        "lost-answer",
        "The next backup's answer is lost",
        "The backup starts, but the connection is cut before the answer. It must not be started twice.",
        {"method": "POST", "path": ".*/backup$", "cut": True, "after_effect": True, "count": 1},
    ),
    Breakage(
        "throttled-jobs",
        "Job reads are throttled",
        "The next 6 reads of backup jobs are answered 429 with a Retry-After of 2 seconds.",
        {"method": "GET", "path": ".*/backupJobs.*", "status": 429, "retry_after": 2, "count": 6},
    ),
    Breakage(
        "slow-azure",
        "Azure becomes slow",
        "Each of the next 30 reads takes a second and a half longer.",
        {"method": "GET", "path": ".*/subscriptions/.*", "delay_ms": 1500, "count": 30},
    ),
    Breakage(
        "refused-grant",
        "The next grant is refused",
        "Granting a role is answered 403. The fix must end as failed, and say which permission is missing.",
        {"method": "PUT", "path": ".*/roleAssignments/.*", "status": 403, "count": 1},
    ),
)
