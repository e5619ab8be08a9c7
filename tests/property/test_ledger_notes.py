"""Whatever text a peer calls a checkpoint, it is read in its one form or refused by name."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.ledger.checkpoint import (
    Checkpoint,
    Note,
    SignatureLine,
    parse_note,
    parse_signature_line,
)
from appliance.ledger.errors import CheckpointMalformed

NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="+"), min_size=1, max_size=64
)
LINES = st.builds(
    SignatureLine,
    name=NAMES,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)
NOTES = st.builds(
    Note,
    checkpoint=st.builds(
        Checkpoint,
        origin=NAMES,
        size=st.integers(0, 2**53 - 1),
        root=st.binary(min_size=32, max_size=32),
    ),
    signatures=st.lists(
        LINES, min_size=1, max_size=8, unique_by=lambda line: (line.name, line.key_id)
    ).map(tuple),
)


@given(NOTES)
def test_a_note_is_read_as_it_was_written(note: Note) -> None:
    assert parse_note(note.text) == note


@given(LINES)
def test_a_signature_line_is_read_as_it_was_written(line: SignatureLine) -> None:
    assert parse_signature_line(line.text.removesuffix("\n")) == line


@given(NOTES, st.data())
def test_what_is_read_of_a_damaged_note_is_in_its_one_form(note: Note, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(note.text) - 1))
    put = data.draw(st.text(max_size=3))
    text = note.text[:place] + put + note.text[place + data.draw(st.integers(0, 3)) :]

    try:
        read = parse_note(text)
    except CheckpointMalformed as error:
        assert error.what
    else:
        assert read.text == text


@given(st.text())
def test_junk_is_no_note(text: str) -> None:
    try:
        read = parse_note(text)
    except CheckpointMalformed:
        return
    assert read.text == text
