"""The very lines of tables and lists: blank lines, widths, wrapping."""

from __future__ import annotations

from support.scripts import Scripts

WIDE = "[pscustomobject]@{ Name = 'Relay'; Comment = 'one two three four five six seven'; Port = 25 }"


def test_a_table_stands_between_blank_lines() -> None:
    assert Scripts().run("[pscustomobject]@{ A = 1; B = 'x' }") == "\nA B\n- -\n1 x\n\n"


def test_a_list_stands_between_blank_lines() -> None:
    script = "1..2 | % { [pscustomobject]@{ N = $_; Text = 'x' } } | Format-List"
    assert Scripts().run(script) == "\nN    : 1\nText : x\n\nN    : 2\nText : x\n\n"


def test_objects_of_one_kind_share_a_table() -> None:
    shown = Scripts().run("[pscustomobject]@{ A = 1 }; [pscustomobject]@{ A = 2 }; [pscustomobject]@{ B = 3 }")
    assert shown == "\nA\n-\n1\n2\n\n\nB\n-\n3\n\n"


def test_the_widest_column_is_cut_where_the_screen_is_narrow() -> None:
    shown = Scripts(width=30).run(WIDE)
    assert (
        shown == "\nName  Comment             Port\n----  -------             ----\nRelay one two three four…   25\n\n"
    )


def test_wrap_loses_nothing() -> None:
    shown = Scripts(width=30).run(f"{WIDE} | Format-Table -Wrap")
    assert shown == (
        "\nName  Comment             Port\n----  -------             ----\n"
        "Relay one two three four    25\n      five six seven\n\n"
    )


def test_a_list_goes_on_below_its_value() -> None:
    shown = Scripts(width=20).run("[pscustomobject]@{ Text = '1234567890123456789' } | Format-List")
    assert shown == "\nText : 1234567890123\n       456789\n\n"


def test_lines_within_a_value() -> None:
    assert Scripts().run('[pscustomobject]@{ T = "a`nb" } | Format-List') == "\nT : a\n    b\n\n"
    assert Scripts().run('[pscustomobject]@{ T = "a`nb" }') == "\nT\n-\na…\n\n"


def test_what_is_shown_comes_in_order() -> None:
    shown = Scripts().run(
        "[pscustomobject]@{ A = 1 }; Write-Host 'then'; [pscustomobject]@{ A = 2 }; Write-Warning 'last'"
    )
    assert shown == "\nA\n-\n1\n\nthen\n\nA\n-\n2\n\nWARNING: last\n"


def test_a_hashtable_has_its_wide_column() -> None:
    assert Scripts().run("@{ a = 1 }").split("\n")[1:4] == [
        "Name" + " " * 27 + "Value",
        "----" + " " * 27 + "-----",
        "a" + " " * 30 + "1",
    ]


def test_out_string_is_what_would_be_shown() -> None:
    assert (
        Scripts().run('$t = [pscustomobject]@{ A = 1 } | Out-String; $t.Length; $t.Trim().Split("`n").Count')
        == "8\n3\n"
    )
    assert (
        Scripts().run('[pscustomobject]@{ A = 1 } | Format-List | Out-String -Stream | ForEach-Object { "<$_>" }')
        == "<>\n<A : 1>\n<>\n"
    )
