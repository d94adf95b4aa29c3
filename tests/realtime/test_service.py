"""composerd --install-service: the file that a service manager reads."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.service import launchd_plist, systemd_unit

COMMAND = [sys.executable, "-P", "-m", "realtime.cli", "--port", 'IAC "Bus" 100%']


def test_the_unit_is_watched_and_started_again() -> None:
    unit = systemd_unit(COMMAND, Path("/home/me/my music"))
    assert "\nType=notify\n" in unit
    assert "\nWatchdogSec=30\n" in unit
    assert "\nRestart=on-failure\n" in unit
    assert "\nWorkingDirectory=/home/me/my music\n" in unit
    assert '"--port" "IAC \\"Bus\\" 100%%"\n' in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "composerd.service"
    unit.write_text(systemd_unit(COMMAND, tmp_path))
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", unit], capture_output=True, text=True, check=False
    )
    assert "composerd.service" not in done.stderr, done.stderr


def test_the_plist_says_the_same_to_launchd() -> None:
    plist = plistlib.loads(launchd_plist(COMMAND, Path("/music"), Path("/logs/composerd.log")))
    assert plist["ProgramArguments"] == COMMAND
    assert plist["WorkingDirectory"] == "/music"
    assert plist["StandardErrorPath"] == "/logs/composerd.log"
    assert plist["RunAtLoad"]
    assert plist["KeepAlive"] == {"SuccessfulExit": False}


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_installing_keeps_the_other_options_and_starts_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "realtime.cli", "--port", "FLUID", "--install-service"]
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )
    unit = tmp_path / "config" / "systemd" / "user" / "composerd.service"
    assert '"-P" "-m" "realtime.cli" "--port" "FLUID"\n' in unit.read_text()
    assert f"WorkingDirectory={tmp_path}\n" in unit.read_text()
    assert str(unit) in told.stdout
    assert "systemctl --user enable --now composerd" in told.stdout
