"""What the command line asked for, all of it: who is to play, where, and who may turn what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.control import Control, Wish
from realtime.part import PartOrders

if TYPE_CHECKING:
    from realtime.osc import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Of one performance."""

    player: dict[str, Any]  # ports, clock: see realtime.player
    parts: Sequence[PartOrders]
    controls: Mapping[int, Control] = field(default_factory=dict)  # by controller, of the keyboard
    presets: Mapping[int, Wish] = field(default_factory=dict)  # by program change, of the keyboard
    input_channel: int | None = None  # hear only this one, 0..15
    thru: bool = False  # what the human plays goes on to the output
    osc: Address | None = None  # listen there
    osc_to: Address | None = None  # send there what is played
    duration_s: float | None = None
    record: Path | None = None  # write here what was played, by whom
    stats: Path | None = None
    wait_for_port: bool = True  # when it is lost; else end
    link: bool = False  # follow an Ableton Link session

    @property
    def follows(self) -> bool:
        """Whether the music waits for a song."""
        return self.link or bool(self.player.get("sync") or self.player.get("send_clock"))

    @property
    def player_orders(self) -> dict[str, Any]:
        """The player's, with what the keyboard has besides keys; see realtime.player."""
        extra = {"controllers": [*self.controls], "programs": bool(self.presets)}
        return self.player | extra
