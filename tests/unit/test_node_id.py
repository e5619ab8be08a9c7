"""Node ids are read as people type them, and tell where they are mistyped."""

import pytest

from appliance.identity.errors import NodeIdMistyped
from appliance.identity.node_id import NodeId

# Published in Syncthing's own tests (lib/protocol/deviceid_test.go), so the form is compatible.
SYNCTHING = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2"


@pytest.mark.parametrize(
    "typed",
    [
        "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2",
        "P56IOI7MZJNU2YIQGDREYDM2MGTIMGL3BXNPQ6W5BMTBBZ4TJXZWICQ2",
        "p56ioi7-mzjnu2y-iqgdrey-dm2mgti-mgl3bxn-pq6w5bm-tbbz4tj-xzwicq2",
        "P56IOI7 MZJNU2Y IQGDREY DM2MGTI MGL3BXN PQ6W5BM TBBZ4TJ XZWICQ2",
        "P561017MZJNU2YIQGDREYDM2MGTIMGL3BXNPQ6W5BMT88Z4TJXZWICQ2",
        " p56ioi7-mzjnu2yi-qgdr-eydm2mgti–mgl3bxnpq6w5bmtbbz4tjxzwicq2\n",
    ],
)
def test_an_id_is_read_in_any_spelling(typed: str) -> None:
    assert NodeId.parse(typed).text == SYNCTHING


def test_a_mistyped_character_is_placed_in_its_two_groups() -> None:
    with pytest.raises(NodeIdMistyped, match=r"mistyped in group 3 or 4$"):
        NodeId.parse(SYNCTHING.replace("DM2MGTI", "DM2MGTA"))


def test_two_mistyped_characters_are_both_placed() -> None:
    typed = SYNCTHING.replace("DM2MGTI", "DM2MGTA").replace("XZWICQ2", "XZWICQ3")

    with pytest.raises(NodeIdMistyped, match=r"group 3 or 4, and in group 7 or 8$"):
        NodeId.parse(typed)


@pytest.mark.parametrize("typed", ["", "P56IOI7", SYNCTHING + "A", SYNCTHING[:-1], "9" * 56])
def test_what_is_no_id_is_refused_with_a_remedy(typed: str) -> None:
    with pytest.raises(NodeIdMistyped) as raised:
        NodeId.parse(typed)

    assert raised.value.remedy


def test_an_id_cannot_be_made_from_another_spelling() -> None:
    with pytest.raises(NodeIdMistyped):
        NodeId(SYNCTHING.lower())


def test_the_dns_name_says_the_same_within_a_labels_length() -> None:
    node_id = NodeId(SYNCTHING)
    label = node_id.dns_name.partition(".")[0]

    assert len(label) == 52
