from __future__ import annotations

import xml.etree.ElementTree as ET

from bench.parts import PARTS
from bench.results import Part

from bench import chart, report

SVG = "{http://www.w3.org/2000/svg}"


def throughput() -> Part:
    part = Part("2026-11-24", 2, {"processor": "2 × EPYC"}, {"Postfix": "3.7.11"})
    for ceiling, ours, theirs in ((4000, 2000, 400), (6000, 2400, 600)):
        part.add("4 KiB", "no relay", rate=ceiling)
        part.add("4 KiB", "posthouse", rate=ours, cpu=0.3, memory=100)
        part.add("4 KiB", "postfix", rate=theirs, cpu=3.0, memory=200)
    return part


def test_each_figure_stands_beside_its_ratio_to_postfix_and_to_the_ceiling() -> None:
    page = report.markdown({"throughput": throughput()})
    assert "## Throughput" in page
    assert "### 4 KiB" in page
    assert "Measured on 2026-11-24, 2 rounds." in page
    assert "| posthouse | 2,200 [2,000–2,400] | 4.50× [4.00–5.00] | 45 % [40–50] | 0.30 | 0.10× | 100 |" in page
    assert "| no relay | 5,000 [4,000–6,000] | 10.00× | – | – | – | – |" in page
    assert "- processor: 2 × EPYC\n- Postfix: 3.7.11" in page


def test_a_page_without_postfix_has_no_ratios_to_it() -> None:
    part = throughput()
    del part.cases["4 KiB"]["postfix"]
    (grid,) = report.grids("throughput", part)
    assert grid.headings == ("relay", "messages/s", "of the ceiling", "CPU ms a message", "memory, PSS MiB")


def test_every_part_has_a_layout() -> None:
    assert list(report.LAYOUTS) == list(PARTS)


def test_a_page_can_be_made_of_nothing() -> None:
    assert report.markdown({}).startswith("# Performance\n")


def test_the_chart_has_a_bar_for_each_relay_the_fastest_first() -> None:
    picture = ET.fromstring(chart.draw(throughput().cases))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts == ["4 KiB: messages a second", "no relay", "5,000", "posthouse", "2,200", "postfix", "500"]
    ceiling, ours, theirs = (float(bar.attrib["width"]) for bar in list(picture.iter(f"{SVG}rect"))[1:])
    assert abs(ours / ceiling - 2200 / 5000) < 0.001
    assert abs(theirs / ceiling - 500 / 5000) < 0.001


def test_names_cannot_break_the_chart() -> None:
    part = Part()
    part.add("<64 KiB> & more", "a<b", rate=1)
    texts = [text.text for text in ET.fromstring(chart.draw(part.cases)).iter(f"{SVG}text")]
    assert texts == ["<64 KiB> & more: messages a second", "a<b", "1"]
