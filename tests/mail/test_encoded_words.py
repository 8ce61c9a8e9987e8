from email.header import decode_header, make_header

from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import encoded_words

printable = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=120)


def test_text_in_ascii_stays_as_it_is() -> None:
    assert encoded_words.encode("Scan (4th floor)") == "Scan (4th floor)"
    assert encoded_words.decode("Scan (4th floor)") == "Scan (4th floor)"


@given(printable.filter(lambda text: not text.isascii()))
def test_what_is_written_is_read_by_us_and_by_others(text: str) -> None:
    written = encoded_words.encode(text)
    assert written.isascii()
    assert max(map(len, written.split(" "))) <= 75
    assert encoded_words.decode(written) == text
    assert str(make_header(decode_header(written))) == text


@given(st.text("=?utf-8QqBb_ iso1*\t+/CÃ", max_size=60) | st.text(max_size=40))
def test_no_text_makes_decoding_raise_or_unfit_to_be_written(text: str) -> None:
    encoded_words.decode(text).encode()


def test_charsets_that_nobody_knows_are_not_looked_up() -> None:
    """Python's look-up would remember each of them."""
    assert encoded_words.decode("=?x-nobody?q?a?= =?../../etc?q?b?=") == "=?x-nobody?q?a?= =?../../etc?q?b?="
