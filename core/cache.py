"""Corpora that were read before: their tokens on disk, mapped into memory.

A corpus is found by what its files hold, the codec asked for and the code that reads: music that
was moved is found again, music or a reader that changed is not. An entry is a folder, written
beside and renamed, so that two runs at once cannot hurt each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import platformdirs

from core import codec as codec_module
from core import corpus, events, midi_file, smf, ticks
from core.codec import Codec
from core.corpus import Corpus
from core.errors import CorpusError, MidiFileError

KEPT = 8  # corpora; the one unused for longest goes first
_READERS = (ticks, smf, events, midi_file, codec_module, corpus)
_TOKENS, _INDEX = "tokens", "index.json"


def default_folder() -> Path:
    return platformdirs.user_cache_path("live-composer") / "corpora"


def read(
    files: Sequence[Path],
    codec: Codec | None = None,
    done: Callable[[Path], None] = lambda _: None,
    folder: Path | None = None,
) -> Corpus:
    """What `corpus.read` gives, from disk where it was read before.

    Args:
        files: as found by `corpus.find`.
        codec: how to encode; None fits one to these files.
        done: called after each file.
        folder: where corpora are kept; None is the user's cache.

    Raises:
        CorpusError: not one of the files could be read, or the folder cannot be written.
    """
    folder = folder or default_folder()
    entry = folder / _key(files, codec)
    try:
        found = _load(entry, files)
        if found is None:
            shutil.rmtree(entry, ignore_errors=True)  # damaged, if it is there
            _write(entry, files, codec, done)
            found = _load(entry, files)
        else:
            os.utime(entry)
            for file in files:
                done(file)
        if found is None:
            raise OSError(f"{entry.name} is not as it was written")
        _bound(folder)
    except OSError as error:
        raise CorpusError(
            f"cannot keep the music that was read in {folder}: {error.strerror or error};"
            " make room there, or set XDG_CACHE_HOME to another folder"
        ) from error
    return found


def _key(files: Sequence[Path], codec: Codec | None) -> str:
    whole = hashlib.sha256(json.dumps(codec and codec.to_json()).encode())
    for module in _READERS:
        whole.update(_digest(Path(str(module.__file__))))
    for file in files:
        whole.update(_digest(file))
    return whole.hexdigest()[:32]


def _digest(file: Path) -> bytes:
    """Of what the reader sees of a file; one that cannot be opened is as if empty."""
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read(smf.MAX_BYTES + 1)).digest()
    except OSError:
        return bytes(32)


def _load(entry: Path, files: Sequence[Path]) -> Corpus | None:
    """The corpus of an entry; None where there is none or it is damaged."""
    try:
        index = json.loads((entry / _INDEX).read_text())
        bounds = np.array(index["bounds"], np.int64)
        tokens = corpus.mapped(entry / _TOKENS)
        if len(tokens) != bounds[-1]:
            return None
        skipped = {}
        for number in index["skipped"]:  # read again, so that the path told is today's
            try:
                corpus.read_piece(files[number])
            except MidiFileError as error:
                skipped[files[number]] = error
        return Corpus(
            Codec.from_json(index["codec"]),
            tokens,
            bounds,
            np.array(index["held_out"]),
            skipped,
            int(index["left_out"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _write(
    entry: Path, files: Sequence[Path], codec: Codec | None, done: Callable[[Path], None]
) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".part-"))
    try:
        music = corpus.read(files, codec, done, into=part / _TOKENS)
        index = {
            "codec": music.codec.to_json(),
            "bounds": music.bounds.tolist(),
            "held_out": music.held_out.tolist(),
            "left_out": music.left_out,
            "skipped": [n for n, file in enumerate(files) if file in music.skipped],
        }
        (part / _INDEX).write_text(json.dumps(index))
        del music  # Windows renames no folder with a mapped file in it
        with suppress(OSError):  # another run was first: what it wrote is the same
            part.rename(entry)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _bound(folder: Path) -> None:
    """Entries beyond `KEPT` go; on Windows those in use stay."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".part-")]
    with suppress(FileNotFoundError):  # another run tidies up too
        entries.sort(key=lambda path: path.stat().st_mtime_ns)
        for old in entries[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
