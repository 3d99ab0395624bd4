"""The dashboard in the documents asks for what the server exports, and for all of it."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
SERIES = re.compile(r"\bvexpress_\w+")
SUFFIXES = {"histogram": "_bucket", "counter": "_total", "gauge": ""}


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def questions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


async def test_what_it_asks_for_is_what_is_exported(http: httpx.AsyncClient) -> None:
    text = (await http.get("/metrics")).text
    families = list(text_string_to_metric_families(text))
    named = [family for family in families if not family.name.endswith("_created")]  # when it began
    exported = {family.name + SUFFIXES[family.type] for family in named}
    assert {name for question in questions() for name in SERIES.findall(question)} == exported


def test_panels_do_not_cover_each_other() -> None:
    taken = set[tuple[int, int]]()
    for panel in panels():
        place = panel["gridPos"]
        columns, rows = range(place["w"]), range(place["h"])
        cells = {(place["x"] + x, place["y"] + y) for x in columns for y in rows}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
