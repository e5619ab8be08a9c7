"""The check characters of node ids."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from appliance.identity.errors import NodeIdMistyped
from appliance.identity.node_id import ALPHABET, NodeId

keys = st.binary(min_size=1, max_size=100)


@given(keys)
def test_every_id_reads_back(key: bytes) -> None:
    node_id = NodeId.from_public_der(key)

    assert NodeId.parse(node_id.text) == node_id
    assert NodeId.parse(node_id.text.replace("-", "").lower()) == node_id


@given(keys, st.integers(0, 55), st.sampled_from(ALPHABET))
def test_every_single_mistyped_character_is_noticed(key: bytes, place: int, other: str) -> None:
    plain = NodeId.from_public_der(key).text.replace("-", "")
    mistyped = plain[:place] + other + plain[place + 1 :]

    if mistyped == plain:
        assert NodeId.parse(mistyped).text.replace("-", "") == plain
    else:
        chunk = place // 14
        with pytest.raises(NodeIdMistyped, match=f"group {2 * chunk + 1} or {2 * chunk + 2}$"):
            NodeId.parse(mistyped)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        node_id = NodeId.parse(text)
    except NodeIdMistyped:
        return
    assert NodeId.parse(node_id.text) == node_id
