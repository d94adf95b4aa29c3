"""The knobs of the whole of composerd, as a foreign program hears them."""

from __future__ import annotations

import time

from pythonosc.udp_client import SimpleUDPClient

from tests.realtime.composerd import Start
from tests.realtime.heard import onsets, sounding

LISTENER = ("--port", "listener", "--rng", 3)


def test_what_is_asked_for_is_heard(composerd: Start, listener) -> None:
    knobs = "--key D --scale pentatonic --register-low 50 --register-high 74 --polyphony 3"
    loudness = "--velocity-low 40 --velocity-high 60"
    daemon = composerd(
        *LISTENER, *knobs.split(), *loudness.split(), "--density", 6, "--duration", 4
    )
    daemon.said()
    heard = listener.heard()
    struck = onsets(heard)
    assert 6 * 4 / 4 < len(struck) < 6 * 4 * 2  # so short a time tells no more
    assert {message[1] for message in struck} <= {50, 52, 54, 57, 59, 62, 64, 66, 69, 71, 74}
    assert all(40 <= message[2] <= 60 for message in struck)
    assert max(len(sounding(heard[:end])) for end in range(len(heard))) <= 3
    assert not sounding(heard)


def test_a_knob_that_is_turned_is_heard_at_once(composerd: Start, listener, free_port: int) -> None:
    daemon = composerd(*LISTENER, "--osc", free_port, "--density", 12, "--register-high", 71)
    daemon.says("playing to")
    time.sleep(2.5)
    with SimpleUDPClient("127.0.0.1", free_port) as program:
        program.send_message("/register_high", 127)
        program.send_message("/register_low", 72)
        program.send_message("/velocity_low", 100)
        program.send_message("/surprise", [])
    time.sleep(2)
    daemon.terminate()
    daemon.said()
    heard = listener.heard()
    low, high = ([m[1] < 72 for m in onsets(heard)].count(is_low) for is_low in (True, False))
    assert low > 2
    assert high > 2
    assert all(message[1] >= 72 and message[2] >= 100 for message in onsets(heard)[low + 3 :])
    assert not sounding(heard)
