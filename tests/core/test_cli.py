"""composer-train as a musician meets it."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import checkpoint


def composer_train(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


SMALL = ("--hidden-size", "16")


def test_a_folder_becomes_a_checkpoint_and_what_was_skipped_is_told(
    songbook: Path, tmp_path: Path
) -> None:
    (songbook / "broken.mid").write_text("no music")
    out = tmp_path / "model.safetensors"
    done = composer_train(songbook, "--out", out, "--epochs", "1", "--licence", "CC0", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "broken.mid" in done.stderr
    assert "20 files read, 1 skipped" in done.stderr
    assert checkpoint.load(out).record["licence"] == "CC0"
    more = composer_train(songbook, "--out", out, "--epochs", "2", "--resume", *SMALL)
    assert more.returncode == 0, more.stderr
    assert "resumed after" in more.stderr
    assert checkpoint.load(out).record["events_seen"] > 0


def test_a_file_is_learned_as_the_textbook_does_it_and_the_curve_is_drawn(
    songbook: Path, tmp_path: Path
) -> None:
    piece = next(songbook.glob("*ode*.mid"))
    out, picture = tmp_path / "book.safetensors", tmp_path / "curve.png"
    options = ("--preset", "book", "--epochs", "1", "--plot", picture)
    done = composer_train(piece, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stderr
    assert checkpoint.load(out).config.plain
    assert picture.stat().st_size > 0


def test_of_a_folder_of_hostile_files_it_learns_the_music_and_names_the_rest(
    songbook: Path, tmp_path: Path
) -> None:
    whole = next(songbook.glob("*.mid")).read_bytes()
    hostile = {
        "empty.mid": b"",
        "text.mid": b"<html>404</html>",
        "half.mid": whole[: len(whole) // 2],
        "giant.mid": whole[:18] + b"\xff\xff\xff\xff" + whole[22:-4],
        "no time.mid": whole[:12] + b"\x00\x00" + whole[14:],
        "[bold]name.mid": b"MThd",
    }
    for name, data in hostile.items():
        (songbook / name).write_bytes(data)
    (songbook / "folder.mid").mkdir()
    (songbook / "nowhere.mid").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "model.safetensors"
    done = composer_train(songbook, "--out", out, "--epochs", "0.1", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "20 files read, 6 skipped" in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("skipped: cannot read")]
    assert len(told) == 6
    assert "Traceback" not in done.stderr
    assert out.is_file()


def test_ctrl_c_says_how_to_go_on_and_so_it_goes_on(songbook: Path, tmp_path: Path) -> None:
    out = tmp_path / "my model.safetensors"
    command = [sys.executable, "-m", "core.cli", str(songbook), "--out", str(out), *SMALL]
    running = subprocess.Popen(
        [*command, "--minutes", "99", "--patience", "99999"], stderr=subprocess.PIPE, text=True
    )
    while not out.exists() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130, said
    program, *arguments = shlex.split(said.splitlines()[-1])
    assert program == "composer-train"
    assert arguments[-1] == "--resume"
    arguments[arguments.index("99")] = "0.0001"
    more = composer_train(*arguments)
    assert more.returncode == 0, more.stderr
    assert "resumed after" in more.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no file or folder at nowhere"),
        (["."], "no MIDI file"),
        ([".", "--minutes", "1", "--epochs", "1"], "not both"),
        ([".", "--minutes", "-1"], "must be above 0"),
        ([".", "--preset", "book", "--transpose", "3"], "windows"),
        ([".", "--preset", "cookbook"], "--preset is default or book, not 'cookbook'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_1(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    done = composer_train(*arguments, "--out", tmp_path / "model.safetensors")
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("composer-train: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_checkpoint_is_told_before_the_training(
    songbook: Path, tmp_path: Path
) -> None:
    done = composer_train(songbook, "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"composer-train: cannot write {tmp_path}: it is a folder")
    assert done.stderr.count("\n") == 1


def test_without_torch_it_says_how_to_get_it(songbook: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['composer-train', *sys.argv[1:]];"
        "from core.cli import composer_train; composer_train()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(songbook), "--out", str(tmp_path / "m.safetensors")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "training needs torch; install it with: pip install" in done.stderr
    assert done.stderr.count("\n") == 1
