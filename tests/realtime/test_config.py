"""The file of options is read as it was written, and says what is wrong with it in one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SettingsError
from realtime.config import RESERVED, Config, Option, parse, text
from realtime.control import CONTROLS, Control
from realtime.learn import bind, learned
from realtime.settings import CHOICES, KNOBS
from tests.realtime.composerd import run

HERE = Path("composerd.toml")

values = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
option_names = st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("cc", "preset", "part")
)
ranged = st.sampled_from(sorted(KNOBS)).flatmap(
    lambda knob: st.builds(
        Control,
        st.just(knob),
        *[st.floats(KNOBS[knob].low, KNOBS[knob].high)] * 2,
        part=st.none() | st.text(),
    )
)
chosen = st.builds(
    lambda knob, part: Control(knob, part=part),
    st.sampled_from([*CHOICES, "surprise"]),
    st.none() | st.text(),
)
controllers = st.integers(0, 127).filter(lambda number: number not in RESERVED)
tables = st.dictionaries(controllers, ranged | chosen)
presets = st.dictionaries(
    st.integers(0, 127),
    st.fixed_dictionaries(
        {},
        optional={"temperature": st.floats(0.01, 5), "mode": st.just("duet"), "model": st.text()},
    ),
)


parts = st.lists(st.dictionaries(option_names, values | st.lists(st.text())))


@given(st.dictionaries(option_names, values), tables, presets, parts)
def test_what_is_written_is_read(
    options: dict[str, Any],
    controls: dict[int, Control],
    asked: dict[int, dict[str, Any]],
    voices: list[dict[str, Any]],
) -> None:
    rows = [Option(name, "help", None, value) for name, value in options.items()]
    config = Config(path=HERE, options=options, controls=controls, presets=asked, parts=voices)
    assert parse(text(rows, config), HERE) == config


def test_a_default_is_written_as_a_comment() -> None:
    rows = [Option("top_p", "How likely.", 0.95, 0.95), Option("rng", "Which.", None, None)]
    written = text(rows, Config())
    assert "# How likely.\n#top_p = 0.95\n" in written
    assert parse(written, HERE).options == {}


def test_a_controller_is_given_a_knob_alone_or_its_range_too() -> None:
    controls = parse(
        '[cc]\n20 = "temperature"\n1 = "register_center"\n'
        '74 = { knob = "patience", low = 2, high = 0.5, part = "bass" }\n',
        HERE,
    ).controls
    assert controls == {
        20: Control("temperature", 0.5, 1.5),
        1: Control("register_center", 0, 127),
        74: Control("patience_s", 2, 0.5, "bass"),
    }


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("port = ", "composerd.toml: Invalid value (at end of document)"),
        ('[cc]\n20 = "chaos"', "cc.20: there is no 'chaos' to turn"),
        ('[cc]\n64 = "density"', "cc.64: numbers go from 0 to 127, but 0, 32, 64"),
        ('[cc]\n128 = "density"', "cc.128: numbers go from 0 to 127"),
        ('[cc]\n5 = { knob = "share", high = 2 }', "cc.5: share ends at 1"),
        (
            '[cc]\n5 = { knob = "share", colour = 2 }',
            "cc.5 is a knob, or { knob, low, high, part }",
        ),
        ("cc = 5", "cc is a table"),
        ("[preset.0]", "preset.0: numbers go from 1 to 128"),
        ("[preset.1]\ntemperature = 9", "preset.1: temperature ends at 5"),
        ("[preset.1]\nmodel = 9", "preset.1: a model is the path of a checkpoint"),
        ("preset = [1]", "presets are tables"),
        ("part = 1", "each part is a table"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(content: str, line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(content, HERE)
    assert line in str(raised.value)
    assert str(raised.value).startswith("composerd.toml: ")
    assert "\n" not in str(raised.value)


@given(tables, st.dictionaries(option_names, values), controllers, ranged | chosen)
def test_a_controller_that_is_learned_changes_nothing_else(
    controls: dict[int, Control], options: dict[str, Any], number: int, control: Control
) -> None:
    rows = [Option(name, "help", None, value) for name, value in options.items()]
    before = text(rows, Config(controls=controls, presets={3: {"temperature": 0.5}}))
    after = parse(learned(before, number, control, HERE), HERE)
    assert after.controls == {**controls, number: control}
    assert after.options == options
    assert after.presets == {3: {"temperature": 0.5}}


def test_what_is_learned_into_a_file_that_is_not_there_joins_the_usual_controllers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "composerd.toml"
    assert bind(path, 74, "density") == '74 = { knob = "density", low = 0, high = 20 }'
    assert parse(path.read_text(), path).controls == {**CONTROLS, 74: Control("density", 0, 20)}


def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "composerd.toml"
    path.write_text('cc = { 20 = "density" }\n')
    with pytest.raises(SettingsError, match="put into its"):
        bind(path, 74, "density")
    assert path.read_text() == 'cc = { 20 = "density" }\n'


def test_the_options_are_printed_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('density = 4\npatience = 2.5\n[cc]\n74 = "share"\n')
    options = ("--config", file, "--top-p", 0.9, "--input", 'the "Keys"', "--on-port-loss", "exit")
    printed = run(*options, "--print-config").stdout
    assert parse(printed, HERE) == Config(
        path=HERE,
        options={
            "input": 'the "Keys"',
            "on_port_loss": "exit",
            "density": 4.0,
            "top_p": 0.9,
            "patience": 2.5,
        },
        controls={74: Control("share", 0, 1)},
    )
    file.write_text(printed)
    assert run("--config", file, "--print-config").stdout == printed


def test_the_file_in_the_guide_is_read(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "docs" / "control.md"
    [example] = re.findall(r"```toml\n(.*?)```", guide.read_text(), re.DOTALL)
    file = tmp_path / "composerd.toml"
    file.write_text(example)
    printed = run("--config", file, "--print-config").stdout
    assert parse(printed, HERE) == parse(example, HERE)


def test_the_guide_lists_the_usual_controllers() -> None:
    guide = Path(__file__).parents[2] / "docs" / "control.md"
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", guide.read_text(), re.MULTILINE)
    assert rows == [(str(number), control.knob) for number, control in CONTROLS.items()]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder cannot be named")
def test_without_config_the_file_in_the_users_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "live-composer" / "composerd.toml"
    file.parent.mkdir()
    file.write_text("densty = 4\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = run("--print-config")
    assert done.returncode == 1
    assert done.stderr == f"composerd: {file}: there is no option 'densty'; do you mean density?\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [("channel = 17", "channel: "), ("density = true", "density: "), ("port = [1]", "port: ")],
)
def test_an_option_that_cannot_be_is_told_with_its_file(
    tmp_path: Path, content: str, line: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    done = run("--config", file)
    assert done.returncode == 1
    assert done.stderr.startswith(f"composerd: {file}: {line}")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("", "composer"),
        ('[[part]]\nname = "lead"\n[[part]]\nmode = "free"', "lead"),
        ('[[part]]\nhears = ["2"]\n[[part]]\nhears = ["1"]', "1"),
    ],
)
def test_who_only_answers_and_has_nobody_to_answer_is_told(
    tmp_path: Path, content: str, name: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'port = "none"\nmode = "respond"\n{content}\n')
    done = run("--config", file, "--duration", 0.1)
    assert done.returncode == 1
    assert done.stderr == (
        f"composerd: in mode respond {name} has nobody to answer: name a keyboard with --input, or "
        "a part that plays by itself in its hears\n"
    )
