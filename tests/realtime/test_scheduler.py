from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PortError
from realtime.clock import NS_PER_MS, NS_PER_S, VirtualClock
from realtime.ledger import Ledger
from realtime.rehearsal import MemoryPort
from realtime.scheduler import AGAIN_NS, LATE_NS, MAX_NOTE_NS, Scheduler
from realtime.wire import Kind, Record, control_change, is_onset, is_release, note_off, note_on

Timed = tuple[int, bytes]  # (ms, message)


class Stage:
    """A scheduler in virtual time, playing into memory."""

    def __init__(self, send: Callable[[bytes], None] | None = None) -> None:
        self.clock = VirtualClock()
        self.ledger = Ledger()
        self.port = MemoryPort()
        self.reports: list[Record] = []
        self.scheduler = Scheduler(
            self.clock, self.ledger, send or self.port.send, self.reports.append
        )

    def push(self, due_ms: int, message: bytes, epoch: int = 0) -> None:
        self.scheduler.push(Record(Kind.PLAY, message, due_ms * NS_PER_MS, epoch=epoch))

    def run_until(self, ms: int) -> None:
        self.scheduler.run_until(ms * NS_PER_MS)

    @property
    def sent(self) -> list[Timed]:
        """What left, and when."""
        return [
            (report.at_ns // NS_PER_MS, report.message)
            for report in self.reports
            if report.kind is Kind.SENT
        ]


def on(pitch: int) -> bytes:
    return note_on(0, pitch, 80)


def off(pitch: int) -> bytes:
    return note_off(0, pitch)


def play(*pushed: Timed) -> list[Timed]:
    stage = Stage()
    for due_ms, message in pushed:
        stage.push(due_ms, message)
    stage.run_until(10_000)
    return stage.sent


PEDAL_DOWN, PEDAL_UP = control_change(0, 64, 127), control_change(0, 64, 0)
MAX_NOTE_MS = MAX_NOTE_NS // NS_PER_MS


def test_messages_leave_when_they_are_due() -> None:
    assert play((500, on(60)), (750, off(60))) == [(500, on(60)), (750, off(60))]


def test_what_was_pushed_in_another_order_leaves_in_the_order_of_time() -> None:
    assert play((750, off(60)), (500, on(60))) == [(500, on(60)), (750, off(60))]


def test_all_notes_of_a_chord_leave_together_first_in_first_out() -> None:
    chord = [(500, on(67)), (500, on(60)), (500, on(64))]
    assert play(*chord) == chord


def test_a_repeated_note_ends_before_it_starts_again() -> None:
    assert play((0, on(60)), (500, on(60)), (500, off(60))) == [
        (0, on(60)),
        (500, off(60)),
        (500, on(60)),
    ]


def test_at_one_instant_releases_then_controllers_then_onsets() -> None:
    assert play((0, on(60)), (500, on(64)), (500, PEDAL_DOWN), (500, off(60))) == [
        (0, on(60)),
        (500, off(60)),
        (500, PEDAL_DOWN),
        (500, on(64)),
    ]


def test_a_note_struck_again_without_a_release_gets_one_before_the_whole_chord() -> None:
    assert play((0, on(60)), (500, on(64)), (500, on(60))) == [
        (0, on(60)),
        (500, off(60)),
        (500, on(64)),
        (500, on(60)),
    ]


def test_a_note_struck_twice_at_one_instant_gets_a_release_in_between() -> None:
    assert play((500, on(60)), (500, on(60))) == [(500, on(60)), (500, off(60)), (500, on(60))]


def test_a_note_struck_and_released_at_one_instant_does_not_hang() -> None:
    assert play((500, on(60)), (500, off(60))) == [(500, on(60)), (500, off(60))]


def test_a_release_of_what_does_not_sound_is_not_sent() -> None:
    assert play((500, off(60)), (600, on(64)), (700, off(64)), (800, off(64))) == [
        (600, on(64)),
        (700, off(64)),
    ]


def test_a_release_before_its_onset_at_one_instant_does_not_cut_it() -> None:
    assert play((500, off(60)), (500, on(60))) == [(500, on(60))]


def test_a_note_that_nobody_releases_ends_after_the_longest_that_is_allowed() -> None:
    stage = Stage()
    stage.push(500, on(60))
    stage.push(700, on(64))
    stage.push(800, off(64))
    stage.run_until(3_600_000)
    assert stage.sent[-1] == (500 + MAX_NOTE_MS, off(60))
    stage.push(3_600_000, off(60))  # the composer's own release comes too late
    stage.run_until(3_700_000)
    assert len(stage.sent) == 4


def test_a_note_that_only_the_pedal_holds_ends_after_the_longest_that_is_allowed() -> None:
    stage = Stage()
    stage.push(0, PEDAL_DOWN)
    stage.push(500, on(60))
    stage.push(700, off(60))
    stage.push(800, on(64))  # by key and by pedal
    stage.run_until(3_600_000)
    assert stage.sent[3:] == [
        (800, on(64)),
        (500 + MAX_NOTE_MS, PEDAL_UP),
        (800 + MAX_NOTE_MS, off(64)),
    ]
    stage.push(3_600_000, PEDAL_DOWN)
    stage.push(3_600_000, on(64))
    stage.run_until(7_200_000)
    end_ms = 3_600_000 + MAX_NOTE_MS
    assert stage.sent[-2:] == [(end_ms, off(64)), (end_ms, PEDAL_UP)]


def test_a_note_struck_again_may_sound_for_as_long_again() -> None:
    stage = Stage()
    for at_s in range(0, 100, 20):
        stage.push(at_s * 1000, off(60))
        stage.push(at_s * 1000, on(60))
    stage.run_until(3_600_000)
    assert [at_ms for at_ms, message in stage.sent if is_release(message)] == [
        *(20_000, 40_000, 60_000, 80_000, 80_000 + MAX_NOTE_MS)
    ]


def test_the_same_pitch_on_two_channels_is_two_notes() -> None:
    left, right = note_on(0, 60, 80), note_on(1, 60, 80)
    assert play((0, left), (100, right), (200, note_off(0, 60))) == [
        (0, left),
        (100, right),
        (200, note_off(0, 60)),
    ]


def test_an_onset_that_is_too_late_is_dropped_and_reported() -> None:
    stage = Stage()
    stage.clock.wait_until(NS_PER_S)
    due_ns = NS_PER_S - LATE_NS - 1
    stage.scheduler.push(Record(Kind.PLAY, on(60), due_ns, epoch=0))
    stage.scheduler.run_due()
    assert stage.reports == [Record(Kind.DROPPED, on(60), due_ns, at_ns=NS_PER_S)]


def test_an_onset_that_is_just_in_time_is_played() -> None:
    stage = Stage()
    stage.clock.wait_until(NS_PER_S)
    stage.scheduler.push(Record(Kind.PLAY, on(60), NS_PER_S - LATE_NS))
    stage.scheduler.run_due()
    assert [*stage.port.sent] == [on(60)]


def test_a_release_always_leaves_however_late() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.run_until(0)
    stage.clock.wait_until(3600 * NS_PER_S)
    stage.push(100, off(60))
    stage.scheduler.run_due()
    assert stage.sent == [(0, on(60)), (3_600_000, off(60))]


def test_the_release_of_a_dropped_onset_is_not_sent() -> None:
    stage = Stage()
    stage.clock.wait_until(NS_PER_S)
    stage.push(100, on(60))
    stage.push(200, off(60))
    stage.run_until(2000)
    assert stage.sent == []


def test_a_report_tells_when_a_message_was_due_and_when_it_had_left() -> None:
    stage = Stage()
    stage.clock.wait_until(5)
    stage.scheduler.push(Record(Kind.PLAY, on(60), 3, epoch=0))
    stage.scheduler.run_due()
    assert stage.reports == [Record(Kind.SENT, on(60), due_ns=3, at_ns=5)]


def test_a_hush_releases_what_sounds_at_once_and_forgets_what_was_to_come() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.push(500, on(64))
    stage.push(600, off(60))
    stage.run_until(100)
    stage.scheduler.hush(1)
    stage.run_until(10_000)
    assert stage.sent == [(0, on(60)), (100, off(60))]


def test_a_release_from_before_a_hush_does_not_cut_a_note_from_after() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.push(600, off(60))
    stage.run_until(100)
    stage.scheduler.hush(1)
    stage.push(500, on(60), epoch=1)
    stage.push(550, off(60), epoch=0)  # was still in the pipe
    stage.push(900, off(60), epoch=1)
    stage.run_until(10_000)
    assert stage.sent == [(0, on(60)), (100, off(60)), (500, on(60)), (900, off(60))]


def test_a_hush_leaves_controllers_in_the_queue() -> None:
    stage = Stage()
    stage.push(500, control_change(0, 64, 0))
    stage.scheduler.hush(1)
    stage.run_until(1000)
    assert stage.sent == [(500, control_change(0, 64, 0))]


def test_after_a_hush_what_is_left_still_leaves_in_order() -> None:
    stage = Stage()
    pedal_up = control_change(0, 64, 0)
    for due_ms, message in (
        *((1, on(60)), (10, pedal_up), (2, on(61)), (11, pedal_up)),
        *((12, pedal_up), (3, pedal_up), (4, pedal_up)),
    ):
        stage.push(due_ms, message)
    stage.scheduler.hush(1)
    stage.run_until(100)
    assert [at_ms for at_ms, _ in stage.sent] == [3, 4, 10, 11, 12]


def test_a_hush_of_one_channel_leaves_the_others_as_they_are() -> None:
    stage = Stage()
    stage.push(0, note_on(0, 60, 80))
    stage.push(0, note_on(1, 36, 80))
    stage.push(500, note_on(0, 62, 80))
    stage.push(500, note_off(1, 36))
    stage.push(500, note_on(1, 38, 80))
    stage.run_until(100)
    stage.scheduler.hush(1, channel=0)
    stage.push(500, note_on(0, 64, 80), epoch=1)
    stage.run_until(1000)
    assert stage.sent == [
        (0, note_on(0, 60, 80)),
        (0, note_on(1, 36, 80)),
        (100, note_off(0, 60)),
        (500, note_off(1, 36)),
        (500, note_on(1, 38, 80)),
        (500, note_on(0, 64, 80)),
    ]


def test_the_end_releases_then_lifts_the_pedal_then_says_all_notes_off() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.push(0, on(64))
    stage.push(500, on(67))
    stage.run_until(100)
    stage.scheduler.end()
    stage.run_until(1000)
    assert stage.sent[2:] == [
        (100, off(60)),
        (100, off(64)),
        (100, control_change(0, 64, 0)),
        (100, control_change(0, 123, 0)),
    ]


def test_the_end_goes_on_when_the_port_fails() -> None:
    tried = []

    def send(message: bytes) -> None:
        tried.append(message)
        if is_release(message):
            raise PortError("gone")

    stage = Stage(send)
    for pitch in (60, 64):
        stage.push(0, on(pitch))
    stage.run_until(0)
    stage.scheduler.end()
    assert tried[2:4] == [off(60), off(64)]


def test_an_onset_during_which_the_port_fails_is_released_at_the_end() -> None:
    taken = []

    def takes_it_and_fails(message: bytes) -> None:
        taken.append(message)
        if is_onset(message):
            raise PortError("gone")

    stage = Stage(takes_it_and_fails)
    stage.push(0, on(60))
    with pytest.raises(PortError):
        stage.run_until(0)
    stage.scheduler.end()
    assert taken[:2] == [on(60), off(60)]


def test_due_times_do_not_drift_in_an_hour() -> None:
    stage = Stage()
    due_ms = 0
    for number in range(36_000):
        due_ms += 100
        stage.push(due_ms, off(60) if number % 2 else on(60))
        stage.run_until(due_ms - 50)
    stage.run_until(due_ms)
    assert stage.sent[-1] == (3_600_000, off(60))
    assert all(report.at_ns == report.due_ns for report in stage.reports)


# Any interleaving: what the composer writes, in any order, with the time going on in between.

keys = st.tuples(st.integers(0, 2), st.integers(60, 63))
note_messages = st.builds(lambda key, velocity: note_on(*key, velocity), keys, st.integers(0, 9))
deeds = st.one_of(
    st.tuples(st.just("play"), st.integers(0, 300), note_messages, st.integers(-1, 1)),
    st.tuples(st.just("hush"), st.integers(0, 1), st.none() | st.integers(0, 2)),
    st.tuples(st.just("wait"), st.integers(0, 300)),
    st.tuples(st.just("stall"), st.integers(0, 300)),
)


def perform(doings: list[tuple[object, ...]], *, prepared: bool = False) -> Stage:
    stage = Stage()
    epoch, now_ms = 1, 0
    for doing in doings:
        match doing:
            case ("play", int(ahead_ms), bytes(message), int(of_epoch)):
                stage.push(now_ms + ahead_ms - 100, message, max(0, epoch + of_epoch))
            case ("hush", int(step), channel):
                epoch += step
                stage.scheduler.hush(epoch, channel)
            case ("wait", int(ms)):
                now_ms += ms
                stage.run_until(now_ms)
            case ("stall", int(ms)):
                now_ms += ms
                stage.clock.wait_until(now_ms * NS_PER_MS)
        if prepared:
            stage.scheduler.prepare()
    return stage


def sounding_after(sent: list[bytes]) -> set[tuple[int, int]]:
    """An instrument that knows no ledger. Fails when a sounding key is struck.

    A release of what does not sound is nothing to it: those that matter are said twice.
    """
    sounding: set[tuple[int, int]] = set()
    for message in sent:
        key = (message[0] & 0x0F, message[1])
        if is_onset(message):
            assert key not in sounding, f"{key} was struck twice without a release"
            sounding.add(key)
        elif is_release(message):
            sounding.discard(key)
    return sounding


@given(st.lists(deeds, max_size=60))
def test_whatever_happens_every_note_that_was_struck_is_released(
    doings: list[tuple[object, ...]],
) -> None:
    stage = perform(doings)
    stage.scheduler.end()
    assert sounding_after([*stage.port.sent]) == set()


@given(st.lists(deeds, max_size=60))
def test_whatever_happens_a_hush_leaves_nothing_sounding(
    doings: list[tuple[object, ...]],
) -> None:
    stage = perform(doings)
    stage.scheduler.hush(99)
    assert sounding_after([*stage.port.sent]) == set()


@given(st.lists(deeds, max_size=60), st.lists(deeds, max_size=60))
def test_whatever_happens_a_hush_of_one_channel_changes_nothing_on_the_others(
    before: list[tuple[object, ...]], after: list[tuple[object, ...]]
) -> None:
    def heard_on_the_others(doings: list[tuple[object, ...]]) -> list[tuple[int, bytes]]:
        stage = perform(doings)
        return [
            (r.at_ns, r.message)
            for r in stage.reports
            if r.kind is Kind.SENT and r.message[0] & 0x0F != 2
        ]

    quiet = [*before, ("hush", 0, 2), *after]
    assert heard_on_the_others(quiet) == heard_on_the_others([*before, *after])


@given(st.lists(deeds, max_size=60))
def test_whatever_happens_the_ledger_is_what_an_instrument_holds(
    doings: list[tuple[object, ...]],
) -> None:
    stage = perform(doings)
    assert sounding_after([*stage.port.sent]) == set(stage.ledger.sounding)


@given(st.lists(deeds, max_size=60))
def test_whatever_happens_no_release_is_reported_of_what_does_not_sound(
    doings: list[tuple[object, ...]],
) -> None:
    told = [message for _, message in perform(doings).sent]
    for number, message in enumerate(told):
        if is_release(message):
            key = (message[0] & 0x0F, message[1])
            assert key in sounding_after(told[:number])


@given(st.lists(deeds, min_size=20, max_size=60))
def test_whatever_happens_it_makes_no_difference_that_it_was_prepared_for(
    doings: list[tuple[object, ...]],
) -> None:
    assert perform(doings, prepared=True).reports == perform(doings).reports


# A sound server that loses what it is sent for a moment: what matters is said again.


def test_what_a_hush_releases_is_released_again_a_little_later_and_reported_once() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.run_until(100)
    stage.scheduler.hush(1)
    stage.run_until(100 + AGAIN_NS // NS_PER_MS - 1)
    assert [*stage.port.sent] == [on(60), off(60)]
    stage.run_until(1000)
    assert [*stage.port.sent] == [on(60), off(60), off(60)]
    assert stage.sent == [(0, on(60)), (100, off(60))]


def test_what_was_struck_since_is_not_released_again() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.run_until(100)
    stage.scheduler.hush(1)
    stage.push(110, on(60), epoch=1)
    stage.run_until(1000)
    assert [*stage.port.sent] == [on(60), off(60), on(60)]


def test_a_release_that_leaves_late_is_sent_again_and_one_in_time_is_not() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.push(10, off(60))
    stage.push(20, on(62))
    stage.push(200, off(62))
    stage.run_until(20)
    stage.clock.wait_until(300 * NS_PER_MS + LATE_NS)
    stage.run_until(1000)
    assert [*stage.port.sent] == [on(60), off(60), on(62), off(62), off(62)]


def test_the_end_can_be_said_again() -> None:
    stage = Stage()
    stage.push(0, on(60))
    stage.run_until(0)
    stage.scheduler.end()
    once = [*stage.port.sent][1:]
    stage.scheduler.say_again(AGAIN_NS)
    assert [*stage.port.sent][1:] == once + once


@st.composite
def legal_music(draw: st.DrawFn) -> list[Timed]:
    """Notes that end after they begin and before their key is struck again, in any order."""
    music: list[Timed] = []
    for pitch in range(60, 64):
        moments = draw(st.lists(st.integers(0, 20), max_size=8).map(sorted))
        for start, end in zip(moments[::2], moments[1::2], strict=False):
            if start < end:
                music += [(start, on(pitch)), (end, off(pitch))]
    return draw(st.permutations(music))


@given(legal_music())
def test_what_goes_out_is_the_stable_sort_of_what_came_in(music: list[Timed]) -> None:
    rank = {True: 0, False: 2}
    assert play(*music) == sorted(music, key=lambda timed: (timed[0], rank[is_release(timed[1])]))


def test_the_notes_of_a_chord_leave_before_any_of_them_is_reported() -> None:
    happened: list[str] = []
    clock = VirtualClock()
    scheduler = Scheduler(
        clock, Ledger(), lambda _: happened.append("sent"), lambda _: happened.append("told")
    )
    for pitch in (60, 64, 67):
        scheduler.push(Record(Kind.PLAY, on(pitch), 0))
    scheduler.run_due()
    assert happened == ["sent"] * 3 + ["told"] * 3
