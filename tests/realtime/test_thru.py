"""The human's notes pass on, apart from the machine's."""

from realtime.thru import Thru
from realtime.wire import Kind, Record, control_change, note_off, note_on


def test_on_the_machine_s_channel_the_human_is_moved_to_a_free_one() -> None:
    thru = Thru({0, 1})
    for channel, leaves_on in ((0, 2), (1, 2), (2, 2), (9, 9)):
        heard = Record(Kind.HEARD, note_on(channel, 60, 80), at_ns=5)
        assert thru.passed(heard) == Record(Kind.PLAY, note_on(leaves_on, 60, 80), due_ns=5)


def test_when_the_keyboard_is_gone_what_it_held_ends() -> None:
    thru = Thru({0})
    for message in (note_on(0, 60, 80), control_change(0, 64, 127), note_on(0, 62, 80)):
        thru.passed(Record(Kind.HEARD, message))
    thru.passed(Record(Kind.HEARD, note_off(0, 62)))
    ends = [record.message for record in thru.endings(7)]
    assert ends[:2] == [note_off(1, 60), control_change(1, 64, 0)]
    assert thru.endings(8) == []
