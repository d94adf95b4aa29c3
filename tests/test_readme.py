"""What the README tells people to type, and to read, exists."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
COMMANDS = re.findall(
    r"^(?:\.venv/bin/)?(composerd|composer-generate|composer-train)\b([^#\n]*)",
    "\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)),
    re.MULTILINE,
)


@cache
def help_of(command: str) -> str:
    program = Path(sys.executable).with_name(command)
    return subprocess.check_output([program, "--help"], text=True)


def test_the_readme_has_commands() -> None:
    assert {command for command, _ in COMMANDS} == {
        "composerd",
        "composer-generate",
        "composer-train",
    }


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
def test_every_option_in_the_readme_is_one_of_the_command(command: str, arguments: str) -> None:
    for option in re.findall(r"--[a-z-]+", arguments):
        assert option in help_of(command)


@pytest.mark.parametrize("package", ["core", "realtime"])
def test_the_reading_order_names_every_file(package: str) -> None:
    folder = README.parent / package
    _, order = (folder / "__init__.py").read_text().split("Read in this order")
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files <= set(re.findall(r"\w+", order))


def test_the_hour_of_music_in_the_readme_is_written(tmp_path: Path) -> None:
    [arguments] = [rest for command, rest in COMMANDS if command == "composer-generate"]
    program = Path(sys.executable).with_name("composer-generate")
    subprocess.run([program, *arguments.split()], cwd=tmp_path, check=True)
    [written] = tmp_path.iterdir()
    assert written.suffix == ".mid"
