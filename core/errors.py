"""What can go wrong that a musician can mend.

    ComposerError
    ├── MidiFileError      a MIDI file cannot be read or written
    ├── CorpusError        there is nothing to train on
    ├── CheckpointError    a checkpoint is missing, broken or of another version
    ├── TrainingError      training cannot go on
    ├── SettingsError      an option or setting is out of range
    └── PortError          a MIDI port is missing, ambiguous or lost

The commands print a ComposerError as one line and exit with 1. Any other exception is a bug and
keeps its traceback.
"""


class ComposerError(Exception):
    """One line for the musician: what is wrong, with which file or port, what to do next."""


class MidiFileError(ComposerError):
    """A MIDI file cannot be read or written."""


class CorpusError(ComposerError):
    """There is nothing to train on."""


class CheckpointError(ComposerError):
    """A checkpoint is missing, broken or of another version."""


class TrainingError(ComposerError):
    """Training cannot go on."""


class SettingsError(ComposerError):
    """An option or setting is out of range."""


class PortError(ComposerError):
    """A MIDI port is missing, ambiguous or lost."""
