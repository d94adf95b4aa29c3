"""composerd as a service: the file that systemd or launchd asks for, in the place they look.

Nothing is started: the last line says how.
"""

from __future__ import annotations

import plistlib
import sys
from pathlib import Path

import platformdirs

from core.errors import SettingsError

NAME = "composerd"
_TEMPLATES = Path(__file__).parent


def install(arguments: list[str]) -> str:
    """Write the service's file, for a composerd with these arguments, in this folder.

    Returns:
        What was written, and the commands that start and stop it.

    Raises:
        SettingsError: it cannot be written, or this system has neither.
    """
    command = [sys.executable, "-P", "-m", "realtime.cli", *arguments]
    if sys.platform == "darwin":
        path = Path.home() / "Library" / "LaunchAgents" / f"{NAME}.plist"
        log = Path.home() / "Library" / "Logs" / f"{NAME}.log"
        _write(path, launchd_plist(command, Path.cwd(), log))
        return (
            f"{path} written; it says what it does in {log}\n"
            f"start it:  launchctl bootstrap gui/$(id -u) '{path}'\n"
            f"remove it: launchctl bootout gui/$(id -u)/{NAME}; rm '{path}'"
        )
    if sys.platform == "linux":
        path = Path(platformdirs.user_config_dir("systemd")) / "user" / f"{NAME}.service"
        _write(path, systemd_unit(command, Path.cwd()).encode())
        return (
            f"{path} written; journalctl --user -u {NAME} tells what it does\n"
            f"start it:  systemctl --user daemon-reload && systemctl --user enable --now {NAME}\n"
            f"remove it: systemctl --user disable --now {NAME}; rm '{path}'"
        )
    raise SettingsError(
        "no systemd and no launchd here; for Windows' Task Scheduler see docs/unattended.md"
    )


def systemd_unit(command: list[str], folder: Path) -> str:
    template = (_TEMPLATES / f"{NAME}.service").read_text()
    return template.format(
        command=" ".join(map(_quoted, command)), folder=str(folder).replace("%", "%%")
    )


def launchd_plist(command: list[str], folder: Path, log: Path) -> bytes:
    service = plistlib.loads((_TEMPLATES / f"{NAME}.plist").read_bytes())
    service["ProgramArguments"] = command
    service["WorkingDirectory"] = str(folder)
    service["StandardErrorPath"] = str(log)
    return plistlib.dumps(service)


def _quoted(argument: str) -> str:
    r"""As systemd.syntax(7) reads it; the unit's ':' keeps it from looking for variables.

    >>> print(_quoted('IAC "Bus" 1'), _quoted("100%"))
    "IAC \"Bus\" 1" "100%%"
    """
    escaped = argument.replace("\\", r"\\").replace('"', r"\"").replace("%", "%%")
    return f'"{escaped}"'


def _write(path: Path, text: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
