"""Tables of parts, and what comes of them."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.errors import SettingsError
from realtime.config import parse
from realtime.ensemble import ensemble
from realtime.part import PartOrders
from realtime.settings import Settings

COMMON: dict[str, Any] = {
    "model": None,
    "seed_file": None,
    "seed_events": -128,
    "rng": 7,
    "channel": 0,
    "program": None,
    "settings": asdict(Settings(temperature=0.9)),
}


def test_without_tables_there_is_one_part_as_the_command_line_has_it() -> None:
    assert ensemble([], COMMON) == [PartOrders(composer=COMMON)]


def test_a_table_says_what_is_its_own_and_the_rest_is_as_for_all() -> None:
    bass, lead = ensemble(
        [
            {"name": "bass", "channel": 2, "program": 34, "register_high": 48, "hears": ["lead"]},
            {"name": "lead", "model": "lead.safetensors", "rng": 3, "temperature": 1.2},
        ],
        COMMON,
    )
    assert (bass.name, bass.hears) == ("bass", {"lead"})
    assert bass.composer == COMMON | {
        "channel": 1,
        "voices": 2,
        "program": 33,
        "settings": asdict(Settings(temperature=0.9, register_high=48)),
    }
    assert (lead.name, lead.hears) == ("lead", frozenset())
    assert lead.composer == COMMON | {
        "model": "lead.safetensors",
        "voices": 1,
        "rng": 3,
        "settings": asdict(Settings(temperature=1.2)),
    }


def test_parts_without_a_name_a_channel_or_a_number_of_their_own_get_different_ones() -> None:
    parts = ensemble([{}, {"channel": 1}, {}], COMMON)
    assert [part.name for part in parts] == ["1", "2", "3"]
    assert [part.composer["channel"] for part in parts] == [1, 0, 2]
    assert [part.composer["rng"] for part in parts] == [7, 8, 9]


def test_by_chance_is_by_chance_for_each() -> None:
    parts = ensemble([{}, {}], COMMON | {"rng": None})
    assert [part.composer["rng"] for part in parts] == [None, None]


def test_who_hears_all_hears_all_others() -> None:
    parts = ensemble([{"name": name, "hears": True} for name in "abc"], COMMON)
    assert [part.hears for part in parts] == [{"b", "c"}, {"a", "c"}, {"a", "b"}]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([{}] * 17, "17 parts are too many for 16 channels"),
        ([{"name": "a"}, {"name": "a"}], "2 parts are called 'a'"),
        ([{"name": "player"}], "a part cannot be called 'player'"),
        ([{"name": "a/b"}], "a part cannot be called 'a/b'"),
        ([{"name": ""}], "a part cannot be called ''"),
        ([{"name": 3}], "part '3': name is a text, not 3"),
        ([{"channel": 17}], "part '1': channel is a whole number, 1..16, not 17"),
        ([{"channel": "2"}], "part '1': channel is a whole number, 1..16, not '2'"),
        ([{"program": True}], "part '1': program is a whole number, 1..128, not True"),
        (
            [{"name": "a", "channel": 3}, {"name": "b", "channel": 3}],
            "parts 'a' and 'b' share channel 3; give each its own",
        ),
        ([{"hears": ["2", "x"]}, {}], "part '1' hears 'x'; the other parts are: 2"),
        ([{"hears": ["1"]}], "part '1' hears '1'; the other parts are: none"),
        ([{"hears": [[]]}], "part '1' hears []; the other parts are: none"),
        ([{"hears": "all"}], "part '1': hears is true, or a list of parts, not 'all'"),
        ([{"tempo": 2}], "part '1': there is no 'tempo' to turn"),
        ([{"temperature": "hot"}], "part '1': temperature is a number, not 'hot'"),
        ([{"temperature": 99}], "part '1': temperature ends at 5"),
        ([{"register_low": 90, "register_high": 40}], "part '1': register_low must not be above"),
    ],
)
def test_what_cannot_be_is_said_with_the_name_of_the_part(
    tables: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(SettingsError) as error:
        ensemble(tables, COMMON)
    assert str(error.value).startswith(words)


def test_the_file_in_the_guide_is_one_of_two_parts() -> None:
    guide = Path(__file__).parents[2] / "docs" / "parts.md"
    [example] = re.findall(r"```toml\n(.*?)```", guide.read_text(), re.DOTALL)
    bass, lead = ensemble(parse(example, guide).parts, COMMON)
    assert (bass.composer["channel"], lead.composer["channel"]) == (1, 0)
    assert lead.hears == {"bass"}
