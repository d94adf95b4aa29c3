"""Files as music: what a musician hears is what the stream says."""

import random
import struct
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import midi_file
from core.errors import MidiFileError
from core.events import Events
from core.ticks import PPQN

QUARTER = 480  # ticks; at 120 bpm half a second
END_OF_TRACK = b"\xff\x2f\x00"

Track = list[tuple[int, bytes]]  # (ticks since the start, message)
Row = tuple[float, int, int]  # time, pitch, velocity
Note = tuple[float, float, int, int]  # start and end in seconds, pitch, velocity


def on(pitch: int, velocity: int = 64, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def control(number: int, value: int, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, number, value])


def tempo(us: int) -> bytes:
    return b"\xff\x51\x03" + us.to_bytes(3, "big")


DOWN, UP = control(64, 127), control(64, 0)


def variable_length(number: int) -> bytes:
    data = [number & 0x7F]
    while number := number >> 7:
        data.insert(0, number & 0x7F | 0x80)
    return bytes(data)


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack(">I", len(data)) + data


def track_chunk(track: Track, *, running: bool = False) -> bytes:
    data, now, status = b"", 0, 0
    for at, message in track:
        data += variable_length(at - now)
        data += message[1:] if running and message[0] == status < 0xF0 else message
        now, status = at, message[0]
    if not track or track[-1][1] != END_OF_TRACK:
        data += b"\x00" + END_OF_TRACK
    return chunk(b"MTrk", data)


def midi(*tracks: Track, kind: int = 1, division: int = QUARTER, running: bool = False) -> bytes:
    header = chunk(b"MThd", struct.pack(">HHH", kind, len(tracks), division))
    return header + b"".join(track_chunk(track, running=running) for track in tracks)


def read(data: bytes, *, pedal: bool = True, percussion: bool = False) -> Events:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mid"
        path.write_bytes(data)
        return midi_file.read(path, pedal=pedal, percussion=percussion)


def stream(data: bytes, *, pedal: bool = True, percussion: bool = False) -> list[Row]:
    """Events as (milliseconds since the first onset, pitch, velocity)."""
    rows: list[Row] = []
    now_s = 0.0
    for event in read(data, pedal=pedal, percussion=percussion):
        now_s += event.delta_s
        rows.append((round(now_s * 1000, 6), event.pitch, event.velocity))
    return rows


def assert_legal(events: Events) -> None:
    struck_at: dict[int, int] = {}
    instant, last = 0, (0, -1)
    assert len(events)
    assert events.delta_s[0] == 0
    for event in events:
        if event.delta_s > 0:
            instant, last = instant + 1, (0, -1)
        assert (event.is_onset, event.pitch) > last, "releases first, each by rising pitch"
        last = (event.is_onset, event.pitch)
        if event.is_onset:
            assert event.pitch not in struck_at, "struck while it sounds"
            struck_at[event.pitch] = instant
        else:
            assert event.pitch in struck_at, "a release of nothing"
            assert struck_at.pop(event.pitch) < instant, "released at its own onset's instant"
    assert not struck_at, "never released"


def test_a_note_is_an_onset_and_a_release() -> None:
    assert stream(midi([(0, on(60)), (QUARTER, off(60))])) == [(0, 60, 64), (500, 60, 0)]


def test_an_onset_of_velocity_zero_is_a_release() -> None:
    assert stream(midi([(0, on(60)), (QUARTER, on(60, 0))])) == [(0, 60, 64), (500, 60, 0)]


def test_the_silence_before_the_first_onset_is_cut() -> None:
    assert stream(midi([(960, on(60)), (1440, off(60))])) == [(0, 60, 64), (500, 60, 0)]


def test_releases_come_before_onsets_and_both_by_rising_pitch() -> None:
    track = [(0, on(67)), (0, on(60)), (480, on(65)), (480, on(62)), (480, off(67))]
    track += [(480, off(60)), (960, off(65)), (960, off(62))]
    assert stream(midi(track)) == [
        *((0, 60, 64), (0, 67, 64)),
        *((500, 60, 0), (500, 67, 0), (500, 62, 64), (500, 65, 64)),
        *((1000, 62, 0), (1000, 65, 0)),
    ]


def test_a_repeated_note_ends_before_it_starts_again() -> None:
    again = [(0, 60, 64), (500, 60, 0), (500, 60, 80), (1000, 60, 0)]
    tidy = [(0, on(60)), (480, off(60)), (480, on(60, 80)), (960, off(60))]
    onset_first = [(0, on(60)), (480, on(60, 80)), (480, off(60)), (960, off(60))]
    overlapping = [(0, on(60)), (480, on(60, 80)), (600, off(60)), (960, off(60))]
    for track in (tidy, onset_first, overlapping):
        assert stream(midi(track)) == again


def test_a_unison_of_two_tracks_is_one_note_the_louder_and_the_longer() -> None:
    loud, long = [(0, on(60, 90)), (480, off(60))], [(0, on(60, 40)), (960, off(60))]
    assert stream(midi(loud, long)) == [(0, 60, 90), (1000, 60, 0)]


def test_a_release_ends_the_note_of_its_own_track() -> None:
    left, right = [(0, on(60)), (960, off(60))], [(480, on(60)), (720, off(60))]
    assert stream(midi(left, right)) == [(0, 60, 64), (500, 60, 0), (500, 60, 64), (750, 60, 0)]


def test_releases_of_nothing_vanish() -> None:
    track = [(0, off(60)), (0, on(60)), (480, off(60)), (500, off(60)), (510, off(61))]
    assert stream(midi(track)) == [(0, 60, 64), (500, 60, 0)]


def test_a_note_without_length_gets_a_short_one() -> None:
    track = [(0, on(60)), (0, off(60)), (480, on(62)), (960, off(62))]
    assert stream(midi(track)) == [(0, 60, 64), (10, 60, 0), (500, 62, 64), (1000, 62, 0)]


def test_a_note_without_length_ends_where_the_next_stroke_comes_sooner() -> None:
    track = [(0, on(60)), (0, off(60)), (4, on(60)), (480, off(60))]
    assert [at for at, _, _ in stream(midi(track))] == pytest.approx([0, 4.166667, 4.166667, 500])


def test_a_note_that_nobody_ends_goes_on_to_the_end_of_the_file() -> None:
    track = [(0, on(60)), (480, on(62)), (960, off(62)), (1440, END_OF_TRACK)]
    assert stream(midi(track))[-1] == (1500, 60, 0)


@pytest.mark.parametrize("number", [120, 123, 127])
def test_all_notes_off_ends_the_notes_of_its_channel(number: int) -> None:
    track = [(0, on(60)), (0, on(62, channel=1)), (480, control(number, 0)), (960, END_OF_TRACK)]
    assert stream(midi(track))[2:] == [(500, 60, 0), (1000, 62, 0)]


def test_all_notes_off_at_an_onset_belongs_to_what_was_before() -> None:
    reset = [(0, control(123, 0))]
    assert stream(midi([(0, on(60)), (480, off(60))], reset))[-1] == (500, 60, 0)


def test_percussion_is_left_out_unless_asked_for() -> None:
    data = midi([(0, on(60)), (0, on(36, channel=9)), (480, off(60)), (480, off(36, channel=9))])
    assert {pitch for _, pitch, _ in stream(data)} == {60}
    assert {pitch for _, pitch, _ in stream(data, percussion=True)} == {36, 60}


NOTE_UNDER_PEDAL: list[tuple[str, Track, float]] = [
    ("held until the pedal rises", [(10, DOWN), (960, UP)], 1000),
    ("pressed after the release", [(490, DOWN), (960, UP)], 500),
    ("raised before the release", [(10, DOWN), (470, UP)], 500),
    ("raised and pressed again in time", [(10, DOWN), (470, UP), (475, DOWN), (960, UP)], 1000),
    ("pressed twice, raised once", [(10, DOWN), (720, DOWN), (960, UP)], 1000),
    ("never raised", [(10, DOWN), (1440, END_OF_TRACK)], 1500),
    ("63 is up", [(10, control(64, 63)), (960, UP)], 500),
    ("64 is down", [(10, control(64, 64)), (960, UP)], 1000),
    ("half-way up is still down", [(10, DOWN), (720, control(64, 64)), (960, UP)], 1000),
    ("another channel's pedal", [(10, control(64, 127, 3)), (960, control(64, 0, 3))], 500),
    ("another channel's rise", [(10, DOWN), (720, control(64, 0, 3)), (960, UP)], 1000),
    ("reset of all controllers raises it", [(10, DOWN), (960, control(121, 0))], 1000),
    ("another controller", [(10, control(66, 127)), (960, control(66, 0))], 500),
]


@pytest.mark.parametrize(
    ("pedal", "end_ms"), [row[1:] for row in NOTE_UNDER_PEDAL], ids=[r[0] for r in NOTE_UNDER_PEDAL]
)
def test_the_pedal_holds_a_note(pedal: Track, end_ms: float) -> None:
    note = [(0, on(60)), (480, off(60))]
    in_one_track = sorted(note + pedal, key=lambda row: row[0])
    for data in (midi(in_one_track), midi(note, pedal), midi(pedal, note)):
        assert stream(data) == [(0, 60, 64), (end_ms, 60, 0)]
        assert stream(data, pedal=False) == [(0, 60, 64), (500, 60, 0)]


def test_at_one_tick_pedal_and_release_count_in_the_order_of_the_file() -> None:
    released_first = [(0, on(60)), (480, off(60)), (480, DOWN), (960, UP)]
    pressed_first = [(0, on(60)), (480, DOWN), (480, off(60)), (960, UP)]
    assert stream(midi(released_first))[-1] == (500, 60, 0)
    assert stream(midi(pressed_first))[-1] == (1000, 60, 0)


def test_a_note_struck_again_under_the_pedal_is_released_first() -> None:
    track = [(0, DOWN), (0, on(60)), (240, off(60)), (480, on(60)), (720, off(60)), (960, UP)]
    again = [(0, 60, 64), (500, 60, 0), (500, 60, 64), (1000, 60, 0)]
    assert stream(midi(track)) == again


def test_tempo_changes_count_wherever_they_stand() -> None:
    notes = [(0, on(60)), (480, off(60)), (960, on(62)), (1440, off(62))]
    tempi = [(0, tempo(600_000)), (480, tempo(300_000)), (1200, tempo(1_234_567))]
    expected = [(0, 60, 64), (600, 60, 0), (900, 62, 64), (1667.2835, 62, 0)]
    assert stream(midi(tempi, notes)) == stream(midi(notes, tempi)) == expected


def test_of_two_tempi_at_one_tick_the_later_counts_and_zero_is_none() -> None:
    track = [(0, tempo(600_000)), (0, tempo(400_000)), (0, tempo(0)), (0, on(60)), (480, off(60))]
    assert stream(midi(track))[-1] == (400, 60, 0)


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 2**24 - 1)), min_size=1, max_size=8),
    st.integers(1, 20_000),
    st.integers(4, 32767),  # at 3 the slowest of these would last over a day
)
def test_tempo_is_honoured_to_the_microsecond(
    changes: list[tuple[int, int]], length: int, division: int
) -> None:
    tempi: Track = []
    now = 0
    for gap, us in changes:
        now += gap
        tempi.append((now, tempo(us)))
    us_by_tick = {at: int.from_bytes(message[3:], "big") for at, message in tempi}
    current, us_times_division = 500_000, 0
    for tick in range(length):
        current = us_by_tick.get(tick, current)
        us_times_division += current
    expected_s = us_times_division / division / 1e6
    events = read(midi(tempi, [(0, on(60)), (length, off(60))], division=division))
    assert events.duration_s == pytest.approx(expected_s, abs=1e-6, rel=1e-12)


@pytest.mark.parametrize(
    ("division", "end_ms"),
    [(0xE728, 480), (0xE250, 200), (0xE801, 20_000), (0xE364, 160.16)],  # 25x40, 30x80, 24x1, 29
)
def test_smpte_time_ignores_the_tempo(division: int, end_ms: float) -> None:
    track = [(0, tempo(100_000)), (0, on(60)), (480, off(60))]
    assert stream(midi(track, division=division))[-1] == (end_ms, 60, 0)


def test_sequences_of_type_2_follow_each_other_each_in_its_own_tempo() -> None:
    first = [(0, tempo(250_000)), (0, on(60)), (480, off(60)), (960, END_OF_TRACK)]
    second = [(0, on(62)), (480, off(62))]
    expected = [(0, 60, 64), (250, 60, 0), (500, 62, 64), (1000, 62, 0)]
    assert stream(midi(first, second, kind=2)) == expected


# What follows is the law for any music, checked against a reader that goes note by note.

MESSAGES = st.one_of(
    st.builds(on, st.integers(60, 62), st.integers(0, 3), st.integers(0, 1)),
    st.builds(off, st.integers(60, 62), st.integers(0, 1)),
    st.builds(control, st.just(64), st.sampled_from([0, 63, 64, 127]), st.integers(0, 1)),
    st.builds(control, st.sampled_from([1, 120, 121, 123]), st.just(0), st.integers(0, 1)),
    st.builds(tempo, st.integers(1, 2**24 - 1)),
    st.sampled_from([b"\xc0\x05", b"\xd1\x40", b"\xe0\x00\x40", b"\xf0\x02\x01\xf7"]),
    st.sampled_from([b"\xff\x01\x02hi", on(60, channel=9), off(60, channel=9)]),
)


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    """A track that strikes something and else does anything at all."""
    now = 0
    track = [(0, on(60))]
    for gap, message in draw(st.lists(st.tuples(st.integers(0, 3), MESSAGES), max_size=30)):
        now += gap * 100
        track.append((now, message))
    return track


def slowly(files_tracks: list[Track], *, pedal: bool) -> list[Note]:
    """The notes, by the plainest walk over the messages that mido knows of. Unmended."""
    merged = [
        (at, number, mido.parse(message) if message[0] < 0xF0 else message)
        for number, track in enumerate(files_tracks)
        for at, message in track
    ]
    merged.sort(key=lambda row: row[0])
    last_tick = merged[-1][0]
    times_s, now_s, now, us = {}, 0.0, 0, 500_000
    for at, _, message in merged:
        now_s += (at - now) * us / QUARTER / 1e6
        now = at
        times_s[at] = now_s
        if isinstance(message, bytes) and message.startswith(b"\xff\x51"):
            us = int.from_bytes(message[3:], "big")

    notes: list[list[int]] = []  # start, end, pitch, velocity, channel
    waiting: dict[tuple[int, int, int], list[list[int]]] = defaultdict(list)
    keys_down: dict[int, list[list[int]]] = defaultdict(list)
    under_pedal: dict[int, list[list[int]]] = defaultdict(list)
    pedal_is_down: dict[int, bool] = defaultdict(bool)

    def lift(note: list[int], at: int, channel: int) -> None:
        if note in keys_down[channel]:
            keys_down[channel] = [other for other in keys_down[channel] if other is not note]
            note[1] = at
            if pedal_is_down[channel] and pedal:
                under_pedal[channel].append(note)
                note[1] = last_tick

    for at, number, message in merged:
        if isinstance(message, bytes) or message.type not in (
            "note_on",
            "note_off",
            "control_change",
        ):
            continue
        channel = message.channel
        if message.type == "control_change":
            if message.control in (120, 123):
                for note in keys_down[channel]:
                    if note[0] < at:
                        lift(note, at, channel)
            elif message.control == 121 or (message.control == 64 and message.value < 64):
                pedal_is_down[channel] = False
                for note in under_pedal.pop(channel, []):
                    note[1] = at
            elif message.control == 64:
                pedal_is_down[channel] = True
        elif channel == 9:
            continue
        elif message.type == "note_on" and message.velocity:
            note = [at, last_tick, message.note, message.velocity, len(notes)]
            notes.append(note)
            waiting[number, channel, message.note].append(note)
            keys_down[channel].append(note)
        elif waiting[number, channel, message.note]:
            lift(waiting[number, channel, message.note].pop(0), at, channel)
    return [(times_s[a], times_s[b], pitch, velocity) for a, b, pitch, velocity, _ in notes]


def mended(notes: Iterable[Note]) -> list[Row]:
    """The stream that these notes make, as (seconds since the first onset, pitch, velocity)."""
    unisons: dict[tuple[int, float], tuple[float, int]] = {}
    for start, end, pitch, velocity in notes:
        other_end, other_velocity = unisons.get((pitch, start), (end, velocity))
        unisons[pitch, start] = max(end, other_end), max(velocity, other_velocity)
    rows: list[Row] = []
    for (pitch, start), (end, velocity) in unisons.items():
        heard_end = end if end > start else start + midi_file.GRACE_S
        later = [other for other_pitch, other in unisons if other_pitch == pitch and other > start]
        rows += [(start, pitch, velocity), (min([heard_end, *later]), pitch, 0)]
    rows.sort(key=lambda row: (row[0], row[2] > 0, row[1]))
    return [(at - rows[0][0], pitch, velocity) for at, pitch, velocity in rows]


@given(st.lists(tracks(), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_any_music_reads_as_the_note_by_note_reader_says(
    files_tracks: list[Track], pedal: bool, running: bool
) -> None:
    events = read(midi(*files_tracks, running=running), pedal=pedal)
    assert_legal(events)
    expected = mended(slowly(files_tracks, pedal=pedal))
    assert list(zip(events.pitch, events.velocity, strict=True)) == [row[1:] for row in expected]
    assert events.delta_s.cumsum() == pytest.approx([row[0] for row in expected], abs=1e-6)


@given(tracks(), st.randoms(use_true_random=False))
def test_how_notes_are_spread_over_tracks_and_channels_does_not_matter(
    track: Track, choice: random.Random
) -> None:
    # Notes that do not touch each other, so that no release is ambiguous.
    notes = [(2 * i * 480, 60 + i % 5, 1 + i % 127) for i in range(len(track))]
    spread: list[Track] = [[], [], []]
    for at, pitch, velocity in notes:
        channel = choice.randrange(9)
        spread[choice.randrange(3)] += [
            (at, on(pitch, velocity, channel)),
            (at + 480, off(pitch, channel)),
        ]
    together = [
        row
        for at, pitch, velocity in notes
        for row in ((at, on(pitch, velocity)), (at + 480, off(pitch)))
    ]
    assert stream(midi(*spread)) == stream(midi(together, kind=0))


# Writing.

Played = list[tuple[int, bytes]]


@st.composite
def performances(draw: st.DrawFn) -> Played:
    """Notes one after another, each at least two ticks long and apart, up to an hour."""
    played: Played = []
    now_ns = 0
    gaps_ns = st.integers(1_100_000, 10**10)
    rows = st.tuples(gaps_ns, gaps_ns, st.integers(0, 127), st.integers(1, 127))
    for gap_ns, length_ns, pitch, velocity in draw(st.lists(rows, min_size=1, max_size=200)):
        played.append((now_ns + gap_ns, on(pitch, velocity)))
        now_ns += gap_ns + length_ns
        played.append((now_ns, off(pitch)))
    return played


@given(performances())
def test_what_is_written_reads_back_within_half_a_tick(played: Played) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "take.mid"
        midi_file.write(path, played)
        events = midi_file.read(path)
    assert_legal(events)
    assert [(e.pitch, e.velocity) for e in events] == [
        (message[1], message[2]) for _, message in played
    ]
    half_a_tick_s = 0.5 / PPQN * 0.5
    start_s = played[0][0] / 1e9
    for now_s, (at_ns, _) in zip(events.delta_s.cumsum(), played, strict=True):
        # Both the first onset and this one are rounded.
        assert abs(now_s + start_s - at_ns / 1e9) <= 2 * half_a_tick_s + 1e-9


@given(performances())
def test_another_library_reads_what_we_write(played: Played) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "take.mid"
        midi_file.write(path, played)
        file = mido.MidiFile(path)
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (0, PPQN, 1)
    first, *messages, last = file.tracks[0]
    assert (first.type, first.tempo, last.type) == ("set_tempo", 500_000, "end_of_track")
    assert [bytes(message.bytes()) for message in messages] == [message for _, message in played]
    tick = 0
    for message, (at_ns, _) in zip(messages, played, strict=True):
        tick += message.time
        assert abs(tick * 500_000_000 / PPQN - at_ns) <= 250_000_000 / PPQN


def test_every_message_is_written_in_its_order(tmp_path: Path) -> None:
    played = [(0, b"\xc0\x05"), (0, DOWN), (0, on(60)), (10**9, off(60)), (10**9 - 5, UP)]
    midi_file.write(tmp_path / "take.mid", played)
    written = [m for m in mido.MidiFile(tmp_path / "take.mid").tracks[0] if not m.is_meta]
    assert [bytes(message.bytes()) for message in written] == [message for _, message in played]
    assert sum(message.time for message in written) == 2 * PPQN


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    midi_file.write(path, [(0, on(60)), (10**9, off(60))])
    midi_file.write(path, [(0, on(72)), (10**9, off(72))])
    assert midi_file.read(path).pitch.tolist() == [72, 72]
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_may_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    midi_file.write(tmp_path / "take.mid", [(0, on(60))])
    (tmp_path / "other").touch()
    assert (tmp_path / "take.mid").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_music_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    path.write_bytes(b"old")

    def breaks_off() -> Iterable[tuple[int, bytes]]:
        yield 0, on(60)
        raise RuntimeError("the player is gone")

    with pytest.raises(RuntimeError):
        midi_file.write(path, breaks_off())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "take.mid"
    with pytest.raises(MidiFileError, match=r"cannot write .*take\.mid: No such file"):
        midi_file.write(path, [(0, on(60))])


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "take.mid").mkdir()
    with pytest.raises(MidiFileError, match="cannot write"):
        midi_file.write(tmp_path / "take.mid", [(0, on(60))])
    assert [path.name for path in tmp_path.iterdir()] == ["take.mid"]
