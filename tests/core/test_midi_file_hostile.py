"""Files that are odd, broken or hostile: read in full, or refused in one line that helps."""

import contextlib
import json
import random
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import midi_file, smf
from core.errors import MidiFileError

NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"  # middle C, for a quarter
END_OF_TRACK = b"\x00\xff\x2f\x00"


def chunk(name: bytes, data: bytes, *, claims: int | None = None) -> bytes:
    return name + struct.pack(">I", len(data) if claims is None else claims) + data


def header(kind: int = 1, tracks: int = 1, division: int = 96) -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", kind, tracks, division))


def track(data: bytes = NOTE) -> bytes:
    return chunk(b"MTrk", data + END_OF_TRACK)


# "Ah! vous dirai-je, maman" with its bass, a tempo, a name, a pedal, running status, SysEx.
MELODY = b"".join(
    bytes([0, 0x90, pitch, 70, 96, pitch, 0]) for pitch in (60, 60, 67, 67, 69, 69, 67)
)
BASS = b"\x00\xb1\x40\x7f" + b"".join(
    bytes([0, 0x91, pitch, 50, 0x81, 0x40, 0x81, pitch, 0]) for pitch in (36, 40, 41, 36)
)
TUNE = header(tracks=3) + b"".join(
    [
        track(b"\x00\xff\x51\x03\x06\x1a\x80\x00\xff\x03\x05maman\x60\xff\x51\x03\x07\xa1\x20"),
        track(b"\x00\xc0\x00" + MELODY + b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"),
        track(BASS + b"\x00\xb1\x40\x00"),
    ]
)


def onsets(data: bytes) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mid"
        path.write_bytes(data)
        events = midi_file.read(path)
    sounding: set[int] = set()
    for event in events:
        if event.is_onset:
            assert event.pitch not in sounding
            sounding.add(event.pitch)
        else:
            sounding.remove(event.pitch)
    assert not sounding
    return int((events.velocity > 0).sum())


ODD: dict[str, bytes] = {
    "the tune itself": TUNE,
    "a header longer than 6 bytes": chunk(b"MThd", TUNE[8:14] + b"??") + TUNE[14:],
    "an unknown chunk before the tracks": TUNE[:14] + chunk(b"XFIH", b"hello") + TUNE[14:],
    "an unknown chunk after them": TUNE + chunk(b"XFIH", b"hello"),
    "RMID": b"RIFF\x00\x00\x00\x00RMIDLIST\x04\x00\x00\x00INFOdata\x00\x00\x00\x00" + TUNE,
    "a MacBinary header": bytes(128) + TUNE,
    "rubbish behind": TUNE + b"rubbish",
    "a header that counts no track": header(tracks=0) + TUNE[14:],
    "a header that counts too many": header(tracks=9) + TUNE[14:],
    "an unknown type": header(kind=3) + TUNE[14:],
    "a last track that claims 4 GiB": TUNE[:14]
    + TUNE[14:].replace(track(BASS + b"\x00\xb1\x40\x00")[:8], b"MTrk\xff\xff\xff\xff"),
    "a track without its end": TUNE + chunk(b"MTrk", b"\x00\xb3\x07\x40"),
    "music after the end of a track": TUNE + track(END_OF_TRACK + NOTE),
    "running status past a meta event": TUNE
    + track(b"\x00\x95\x48\x00\x00\xff\x01\x00\x00\x48\x00"),
    "running status past SysEx": TUNE + track(b"\x00\x95\x48\x00\x00\xf0\x01\xf7\x00\x48\x00"),
    "running status of one data byte": TUNE + track(b"\x00\xd5\x48\x00\x47\x00\x46"),
    "system messages": TUNE + track(b"\x00\xf2\x01\x02\x00\xf3\x01\x00\xf6\x00\xf8\x00\xfe"),
    "a tempo of two bytes": TUNE + track(b"\x00\xff\x51\x02\x01\x02"),
    "a name that is no text": TUNE + track(b"\x00\xff\x03\x03\xff\xfe\x1b"),
    "a padded number": TUNE + track(b"\x80\x80\x00\xb3\x07\x40"),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_file_is_read_in_full(data: bytes) -> None:
    assert onsets(data) == 11


BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "a web page": (b"<html>404</html>", "it is not a MIDI file; choose"),
    "half a header": (TUNE[:9], "breaks off in its header"),
    "half a piece": (TUNE[:-30], "track 3 breaks off"),
    "half a message": (
        header() + chunk(b"MTrk", NOTE + b"\x00\x90\x40"),
        "track 1 breaks off in the middle of a message",
    ),
    "a message longer than its track": (
        header() + track(NOTE + b"\x00\xff\x01\xff\xff\xff\x7f") + track(),
        "track 1 breaks off in the middle of a message",
    ),
    "data without a status": (header() + track(b"\x00\x3c\x40"), "no status explains"),
    "a velocity of 200": (header() + track(b"\x00\x90\x3c\xc8"), "data bytes over 127"),
    "a pitch of 188": (header() + track(b"\x00\x90\xbc\x40"), "data bytes over 127"),
    "a number of five bytes": (
        header() + track(b"\x81\x80\x80\x80\x00\x90\x3c\x40"),
        "longer than the 4 bytes that MIDI allows",
    ),
    "no ticks": (header(division=0) + track(), "have no ticks"),
    "no ticks in SMPTE time": (header(division=0xE700) + track(), "have no ticks"),
    "no track": (header(), "it has no notes"),
    "no track of type 2": (header(kind=2), "it has no notes"),
    "no notes": (header() + track(b""), "it has no notes"),
    "only percussion": (header() + track(b"\x00\x99\x24\x40\x60\x99\x24\x00"), "no notes outside"),
    "three days": (header() + track(NOTE + b"\xff\xff\xff\x7f" + NOTE[1:]), "more than a day"),
    "far too many tracks": (header() + chunk(b"MTrk", b"") * 5000, "more than 4096 tracks"),
    "far too many bytes": (TUNE + bytes(smf.MAX_BYTES), "more than 8 MiB"),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_its_name_and_the_reason(
    data: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.mid"
    path.write_bytes(data)
    with pytest.raises(MidiFileError) as refusal:
        midi_file.read(path)
    line = str(refusal.value)
    assert line.startswith(f"cannot read {path}: ")
    assert reason in line
    assert "\n" not in line


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"cannot read .*nothing\.mid: No such file"):
        midi_file.read(tmp_path / "nothing.mid")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match="cannot read"):
        midi_file.read(tmp_path)


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    for name in ("song.KAR", "song", "song.txt"):
        (tmp_path / name).write_bytes(TUNE)
        assert len(midi_file.read(tmp_path / name)) == 22


def mutated(data: bytes, choice: random.Random) -> bytes:
    """A few bytes changed, inserted, removed or doubled, or the end cut off."""
    piece = bytearray(data)
    for _ in range(choice.randint(1, 8)):
        at = choice.randrange(len(piece) + 1)
        end = min(len(piece), at + choice.randint(1, 8))
        what = choice.randrange(6)
        if what == 0:
            piece[at:end] = choice.randbytes(end - at)
        elif what == 1:
            piece[at:at] = choice.randbytes(choice.randint(1, 4))
        elif what == 2:
            del piece[at:end]
        elif what == 3:
            piece[at:at] = piece[at:end]
        elif what == 4:
            piece[at:end] = bytes([choice.choice((0, 0x7F, 0x80, 0xFF))]) * (end - at)
        elif choice.random() < 0.2:
            del piece[at:]
    return bytes(piece)


@settings(max_examples=400)
@given(st.sampled_from([TUNE, *ODD.values()]), st.randoms(use_true_random=False))
def test_a_mutated_file_is_legal_music_or_refused(data: bytes, choice: random.Random) -> None:
    with contextlib.suppress(MidiFileError):
        onsets(mutated(data, choice))


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 0xFFFF))
def test_noise_in_a_track_is_legal_music_or_refused(noise: bytes, kind: int, division: int) -> None:
    with contextlib.suppress(MidiFileError):
        onsets(header(kind=kind, division=division) + track(b"\x00\x90\x3c\x40" + noise))


def onsets_or_refusal(path: Path) -> int | str:
    try:
        return onsets(path.read_bytes())
    except MidiFileError as error:
        return str(error)


def test_the_synthetic_edge_files_are_read_or_refused_as_each_deserves(shared_data: Path) -> None:
    folder = shared_data / "edge" / "synthetic"
    # Channel 10 alone; unisons of several channels, which are one note here.
    other_count = {"drums_only.mid": 0, "sixteen_channels.mid": 255, "mpe.mid": 56}
    # Cut off, so that nobody knows what is lost; or longer than a day.
    refused = {"truncated_in_vlq.mid", "vlq_max.mid", "long_silence_24h.mid"}
    for row in json.loads((folder / "manifest.json").read_text()):
        name = row["file"]
        count = other_count.get(name, row["notes"])
        outcome = onsets_or_refusal(folder / name)
        if isinstance(outcome, str):
            assert "\n" not in outcome
            assert not count or name in refused, outcome
        else:
            assert count in (outcome, None), name


def test_the_odd_files_of_another_library_are_read_unless_they_have_no_notes(
    shared_data: Path,
) -> None:
    for path in sorted((shared_data / "edge" / "drywetmidi_valid_MIT").glob("*.mid")):
        outcome = onsets_or_refusal(path)
        assert not isinstance(outcome, str) or "it has no notes" in outcome, outcome


def test_a_million_notes_at_one_instant_are_one_note_of_each_pitch() -> None:
    chords = b"".join(bytes([0, pitch, 64]) for pitch in range(128)) * 8000
    assert onsets(header() + track(b"\x00\x90\x3c\x40" + chords)) == 128


@pytest.mark.parametrize(
    ("tempo", "seconds"),
    [
        (b"\x00\x00\x00", 0.5),  # none: 120 bpm goes on
        (b"\x00\x00\x01", 1e-6),  # 60 million bpm
        (b"\xff\xff\xff", 16.777215),  # 3.6 bpm, or -1 to who takes it for signed
        (b"\x80\x00\x00", 8.388608),
    ],
)
def test_a_tempo_is_what_it_says_however_absurd(
    tempo: bytes, seconds: float, tmp_path: Path
) -> None:
    path = tmp_path / "absurd.mid"
    path.write_bytes(header() + track(b"\x00\xff\x51\x03" + tempo + NOTE))
    assert midi_file.read(path).duration_s == pytest.approx(seconds)


def test_a_header_may_claim_as_many_tracks_as_it_likes() -> None:
    assert onsets(header(tracks=0xFFFF) + TUNE[14:]) == 11
