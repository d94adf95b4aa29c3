"""Whether the music moves. What the service manager's watchdog is fed by.

Silence alone is no death: a human may be playing, or a port be gone. So a process that has been
silent is asked to answer, and only music that is silent for no reason counts as stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from realtime.clock import NS_PER_S
from realtime.wire import Kind

ASK_AFTER_NS = NS_PER_S  # of silence, a process is asked whether it is there
HUNG_BEATS = 3  # without an answer: it hangs, or is stopped
GONE_AFTER_NS = 10 * NS_PER_S  # of silence, it is not
# A model's longest delta is some 10 to 20 seconds; then there is the breath between two pieces.
STILL_AFTER_NS = 60 * NS_PER_S
MAX_DEATHS, DEATHS_WITHIN_NS = 3, 60 * NS_PER_S  # more of them are no accident
TOO_OFTEN = f"died {MAX_DEATHS + 1} times within a minute"


class Pulse:
    """Told of each record that a process sends up, and of the time.

    Args:
        now_ns: when the music begins.
    """

    def __init__(self, now_ns: int) -> None:
        self._began_ns = now_ns
        self._moved_ns = now_ns
        self._heard_ns: dict[str, int] = {}
        self._asked: dict[str, int] = {}  # how many beats ago

    def heard(self, process: str, kind: Kind, now_ns: int) -> None:
        self._heard_ns[process] = now_ns
        self._asked.pop(process, None)
        if kind in (Kind.SENT, Kind.HEARD):
            self._moved_ns = now_ns

    def began(self, process: str, now_ns: int) -> None:
        """Another one has taken the place of the one that died."""
        self._heard_ns[process] = now_ns
        self._asked.pop(process, None)

    def to_ask(self, processes: Iterable[str], now_ns: int) -> list[str]:
        """Those that have been silent and were not asked since: one question, not a full pipe."""
        silent = [
            process
            for process in processes
            if process not in self._asked and self._silence_ns(process, now_ns) >= ASK_AFTER_NS
        ]
        self._asked.update(dict.fromkeys(silent, 0))
        return silent

    def hung(self, processes: Iterable[str]) -> list[str]:
        """Those that have not answered for too long; call once a beat.

        Counted in beats, not in time: after a stop of all of us, nobody is to blame.
        """
        for process in self._asked:
            self._asked[process] += 1
        return [process for process in processes if self._asked.get(process, 0) > HUNG_BEATS]

    def beats(
        self,
        processes: Iterable[str],
        now_ns: int,
        *,
        excused: bool,
        tempo_scale: float = 1.0,
    ) -> bool:
        """Whether all is well.

        Args:
            processes: that must be there.
            now_ns: of the monotonic clock.
            excused: the machine is silent for a reason.
            tempo_scale: of the slowest part; slow music is silent for longer.
        """
        if excused:
            self._moved_ns = now_ns
        there = all(self._silence_ns(process, now_ns) < GONE_AFTER_NS for process in processes)
        return there and now_ns - self._moved_ns < STILL_AFTER_NS / min(tempo_scale, 1.0)

    def _silence_ns(self, process: str, now_ns: int) -> int:
        return now_ns - self._heard_ns.get(process, self._began_ns)


class Deaths:
    """Of one process and its successors."""

    def __init__(self) -> None:
        self._last_ns: deque[int] = deque(maxlen=MAX_DEATHS)

    def one_too_many(self, now_ns: int) -> bool:
        """It has died again."""
        often = len(self._last_ns) == MAX_DEATHS
        too_many = often and now_ns - self._last_ns[0] < DEATHS_WITHIN_NS
        self._last_ns.append(now_ns)
        return too_many
