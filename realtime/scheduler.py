"""Due messages leave at their time, in the right order. Owns that order, and what is dropped.

At one instant: releases, then everything but notes, then onsets; otherwise first in, first out.
A note that is struck and released at one instant is the one exception: its release follows it.

A sound server loses what it is sent in the turn that a program misses, when the machine is busy. A
release that is out of turn itself, since the music breaks off or was held up, is just of such a
time: it is said again a little later.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable

from core.errors import PortError
from realtime import wire
from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.ledger import Ledger
from realtime.wire import Kind, Record, is_note, is_onset, is_release, note_of, note_off

LATE_NS = 100 * NS_PER_MS  # an onset later than this is worse than none
AGAIN_NS = 60 * NS_PER_MS  # over two periods of a sound server, of 1,024 frames at 48 kHz
MAX_NOTE_NS = 30 * NS_PER_S  # no note sounds longer, whatever its composer does


class Scheduler:
    """Sends PLAY records when they are due.

    Releases always leave, however late. Onsets that are too late are reported as DROPPED;
    everything that leaves is reported as SENT.

    Args:
        clock: whose time the due times are in.
        ledger: is kept.
        send: takes one message to the port; may raise PortError.
        report: is told of each message, after all of its instant have left: a chord's notes
            leave close together.
        max_note_ns: a note that has sounded so long, by key or pedal, is released.
    """

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        send: Callable[[bytes], None],
        report: Callable[[Record], None],
        max_note_ns: int = MAX_NOTE_NS,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._send = send
        self._report = report
        self._max_note_ns = max_note_ns
        # heapq is not stable: a running number keeps equals first-in first-out.
        self._queue: list[tuple[int, int, Record]] = []
        self._numbers = itertools.count()
        self._prepared: list[bytes] | None = None  # what leaves at the first due time of the queue
        self._epochs = [0] * 16  # by channel
        # What a SENT record is made of: to make it takes as long as to send the next message.
        self._untold: list[tuple[bytes, int, int, int]] = []
        self._again: deque[tuple[int, bytes]] = deque()  # what is said again, and when

    @property
    def next_due_ns(self) -> int | None:
        """When something leaves next: as it is its turn, sounds for too long, or is said again."""
        due_ns = self._queue[0][0] if self._queue else None
        again_ns = self._again[0][0] if self._again else None
        oldest_ns = self._ledger.oldest_ns
        end_ns = None if oldest_ns is None else oldest_ns + self._max_note_ns
        return min((ns for ns in (due_ns, again_ns, end_ns) if ns is not None), default=None)

    def push(self, record: Record) -> None:
        """Queue a PLAY record, unless it belongs to an epoch that is over."""
        if not self._is_over(record):
            heapq.heappush(self._queue, (record.due_ns, next(self._numbers), record))
            if record.due_ns <= self._queue[0][0]:
                self._prepared = None

    def prepare(self) -> None:
        """Choose what leaves next, in its order, so that nothing is left to do then but to send it.

        A process that has slept finds nothing that it needs near at hand: every step takes several
        times as long as a moment later. So take those steps before.
        """
        if self._queue and self._prepared is None:
            self._prepared = in_order(self._first_instant(), self._ledger.sounding)

    def run_due(self) -> None:
        """Send all that is due now."""
        while self._queue and self._queue[0][0] <= (now_ns := self._clock.now_ns()):
            due_ns = self._queue[0][0]
            if now_ns > due_ns + LATE_NS:
                in_time = self._without_onsets(self._first_instant())
                self._prepared = in_order(in_time, self._ledger.sounding)
            self.prepare()
            try:
                for message in self._prepared or ():
                    self._leave(message, due_ns)
            finally:
                instant = self._taken(due_ns)
                self._tell()
            for record in instant:
                if record.kind is Kind.HUSH:
                    self._release(self._ledger.releases(record.message[0] & 0x0F))
        self.say_again(self._clock.now_ns())
        self._end_overlong()

    def run_until(self, end_ns: int) -> None:
        """Send all that becomes due until `end_ns`, and return then."""
        while (due_ns := self.next_due_ns) is not None and due_ns <= end_ns:
            self._clock.wait_until(due_ns)
            self.run_due()
        self._clock.wait_until(end_ns)

    def hush(self, epoch: int, channel: int | None = None, stands_ns: int = 0) -> None:
        """`epoch` begins: what was queued before it for later than `stands_ns` is forgotten, and
        what sounds then is released; on this channel, 0..15, or on all.

        Releases are forgotten too: everything they could release has been released, and they must
        not cut a note of the new epoch.
        """
        self._begin(epoch, channel, stands_ns)
        if channel is None or stands_ns <= self._clock.now_ns():
            self._release(self._ledger.releases(channel))
        else:
            self.push(wire.hush(channel, epoch, stands_ns))

    def revise(self, epoch: int, channel: int, stands_ns: int) -> None:
        """As `hush`, but what sounds goes on.

        Except what was struck later: whoever revised was slow, and does not know of it.
        """
        self._begin(epoch, channel, stands_ns)
        self._release(self._ledger.releases(channel, stands_ns))

    def _begin(self, epoch: int, channel: int | None, stands_ns: int) -> None:
        for index in range(16) if channel is None else (channel,):
            self._epochs[index] = max(self._epochs[index], epoch)
        self._queue = [
            entry for entry in self._queue if entry[0] <= stands_ns or not self._is_over(entry[2])
        ]
        heapq.heapify(self._queue)
        self._prepared = None

    def _release(self, messages: list[bytes]) -> None:
        try:
            for message in messages:
                self._say_later(message)
                self._leave(message, self._clock.now_ns())
        finally:
            self._tell()

    def end(self) -> None:
        """Release all that sounds, lift the pedals, and forget the rest; even if the port fails.

        All of it can be said again.
        """
        self._queue.clear()
        for message in self._ledger.endings():
            self._say_later(message)
            with contextlib.suppress(PortError):
                self._leave(message, self._clock.now_ns())
        self._tell()

    def say_again(self, until_ns: int) -> None:
        """Send once more what has to be until then, but no release of a note struck since."""
        while self._again and self._again[0][0] <= until_ns:
            message = self._again.popleft()[1]
            if not (is_release(message) and self._ledger.sounds(message)):
                self._send(message)

    def _say_later(self, message: bytes) -> None:
        self._again.append((self._clock.now_ns() + AGAIN_NS, message))

    def _end_overlong(self) -> None:
        now_ns, oldest_ns = self._clock.now_ns(), self._ledger.oldest_ns
        if oldest_ns is None or now_ns < oldest_ns + self._max_note_ns:
            return
        try:
            for message in self._ledger.overlong(now_ns - self._max_note_ns):
                self._leave(message, now_ns)
        finally:
            self._tell()

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for message, due_ns, at_ns, epoch in untold:
            self._report(Record(Kind.SENT, message, due_ns, at_ns, epoch))

    def _is_over(self, record: Record) -> bool:
        return is_note(record.message) and record.epoch < self._epochs[record.message[0] & 0x0F]

    def _first_instant(self) -> list[Record]:
        """What is due first, first in first out."""
        due_ns = self._queue[0][0]
        return [record for _, _, record in sorted(e for e in self._queue if e[0] == due_ns)]

    def _taken(self, due_ns: int) -> list[Record]:
        """What was due then, and is not in the queue any more."""
        self._prepared = None
        taken = []
        while self._queue and self._queue[0][0] == due_ns:
            taken.append(heapq.heappop(self._queue)[2])
        return taken

    def _without_onsets(self, instant: list[Record]) -> list[Record]:
        for record in instant:
            if is_onset(record.message):
                self._report(record._replace(kind=Kind.DROPPED, at_ns=self._clock.now_ns()))
        return [record for record in instant if not is_onset(record.message)]

    def _leave(self, message: bytes, due_ns: int) -> None:
        self._prepared = None
        self._ledger.leaving(message, self._clock.now_ns())
        self._send(message)
        self._ledger.left(message)
        at_ns = self._clock.now_ns()
        if at_ns > due_ns + LATE_NS and is_release(message):
            self._say_later(message)
        self._untold.append((message, due_ns, at_ns, self._epochs[message[0] & 0x0F]))


def in_order(instant: Iterable[Record], sounding: Iterable[tuple[int, int]]) -> list[bytes]:
    """The messages of one instant as they leave, while these notes (channel, pitch) sound.

    >>> third = [Record(Kind.PLAY, bytes((0x90, pitch, 80))) for pitch in (60, 64)]
    >>> [message.hex() for message in in_order(third, [(0, 64)])]
    ['804000', '903c50', '904050']
    """
    sounds = set(sounding)
    releases, others, notes = [], [], []
    for record in instant:
        message = record.message
        if record.kind is Kind.HUSH:
            continue
        if not is_note(message):
            others.append(message)
        elif is_release(message) and note_of(message) in sounds:
            sounds.remove(note_of(message))
            releases.append(message)
        else:
            notes.append(message)
    # A note that is struck again without a release gets one.
    for note in map(note_of, filter(is_onset, notes)):
        if note in sounds:
            sounds.remove(note)
            releases.append(note_off(*note))
    strikes = []
    for message in notes:
        note = note_of(message)
        # What sounds now was struck at this instant.
        if is_onset(message):
            if note in sounds:
                strikes.append(note_off(*note))
            sounds.add(note)
            strikes.append(message)
        elif note in sounds:
            sounds.remove(note)
            strikes.append(message)
    return releases + others + strikes
