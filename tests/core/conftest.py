"""A small songbook: public-domain tunes as data, written as MIDI files where a test needs some."""

from pathlib import Path

import pytest

from core import midi_file

# Each note: letter as a pitch, length in quarters.
TUNES: dict[str, list[tuple[int, float]]] = {
    "ode_to_joy": [
        *((64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1)),
        *((60, 1), (60, 1), (62, 1), (64, 1), (64, 1.5), (62, 0.5), (62, 2)),
    ],
    "frere_jacques": [
        *((60, 1), (62, 1), (64, 1), (60, 1)) * 2,
        *((64, 1), (65, 1), (67, 2)) * 2,
        *((67, 0.5), (69, 0.5), (67, 0.5), (65, 0.5), (64, 1), (60, 1)) * 2,
        *((60, 1), (55, 1), (60, 2)) * 2,
    ],
    "twinkle": [
        *((60, 1), (60, 1), (67, 1), (67, 1), (69, 1), (69, 1), (67, 2)),
        *((65, 1), (65, 1), (64, 1), (64, 1), (62, 1), (62, 1), (60, 2)),
    ],
    "au_clair_de_la_lune": [
        *((60, 1), (60, 1), (60, 1), (62, 1), (64, 2), (62, 2)),
        *((60, 1), (64, 1), (62, 1), (62, 1), (60, 4)),
    ],
}


def performance(
    tune: list[tuple[int, float]], *, quarter_ns: int = 400_000_000, transpose: int = 0
) -> list[tuple[int, bytes]]:
    """A tune over its bass, an octave and a half below: (ns since the start, message)."""
    played = []
    at_ns = 0
    for index, (pitch, quarters) in enumerate(tune):
        end_ns = at_ns + round(quarters * quarter_ns)
        for key in (pitch + transpose, pitch + transpose - 19):
            played.append((at_ns, 1, bytes([0x90, key, 60 + index % 4 * 12])))
            played.append((end_ns, 0, bytes([0x80, key, 0])))
        at_ns = end_ns
    played.sort()
    return [(at, message) for at, _, message in played]


@pytest.fixture
def songbook(tmp_path: Path) -> Path:
    """A folder of 20 MIDI files, some in a folder below."""
    folder = tmp_path / "songbook"
    (folder / "more").mkdir(parents=True)
    for index in range(20):
        name = list(TUNES)[index % len(TUNES)]
        place = folder / "more" if index % 2 else folder
        midi_file.write(
            place / f"{index:02}_{name}.mid",
            performance(TUNES[name] * 3, quarter_ns=360_000_000, transpose=index // 4 * 2 - 4),
        )
    return folder
