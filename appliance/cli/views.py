"""How people see what a node has, but for jobs: peers, datasets, policies, grants, the ledger."""

import io
import json
import re
from collections.abc import Sequence

import segno
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.parameters import (
    how_lists_are_written,
    is_list_of_texts,
    schemas_of,
    type_of,
)
from appliance.cli.terminal import clean, facts, listed, minute, moment, table

SHOWN_ID = 10
"""As much of a job's id as lists show; commands take any unique beginning."""
_NODE_ID = re.compile(r"[A-Z2-7]{7}(-[A-Z2-7]{7}){7}")
_HASH = re.compile(r"[0-9a-f]{64}|[a-z2-7]{26}")
_STATE_STYLES = {
    "paired": "green",
    "open": "green",
    "confirming": "yellow",
    "rejected": "red",
    "killed": "red",
}


def node(view: pb.NodeView) -> RenderableType:
    """Show who a node is and how it fares."""
    tests = "a development image, for tests: no place for real data"
    plain = "a plain file, which its owner alone may read"
    return facts(
        (
            ("name", view.name),
            ("image", tests if view.is_development else ""),
            ("node id", view.node_id),
            ("version", view.version),
            ("address", view.address),
            ("state folder", view.state_folder),
            ("certificate", f"valid until {moment(view.certificate_expires_milliseconds)}"),
            ("identity key", "sealed to this machine's TPM" if view.is_key_sealed else plain),
            ("confinement", listed(view.confinement) or "not known yet"),
            ("peers", str(view.peer_count)),
            ("datasets", str(view.dataset_count)),
            ("to approve", str(view.waiting_count)),
            ("operators", _operators_of(view)),
            ("accounts", _accounts_of(view)),
        )
    )


def _accounts_of(view: pb.NodeView) -> str:
    if not view.account_count:
        return "none: whoever may use the node may do everything"
    return f"{view.account_count}; beside them the node's own user may do everything"


def _operators_of(view: pb.NodeView) -> str:
    at = view.operators_address
    return f"{view.operator_count}, who reach it at {at}" if at else ""


def services(views: Sequence[pb.ServiceView]) -> Table:
    """List services."""
    made = table("service", "#version", "what it computes", "adversary", "parties")
    for view in views:
        made.add_row(view.name, str(view.version), view.title, view.adversary, _party_counts(view))
    return made


def service(view: pb.ServiceView) -> RenderableType:
    """Show one service with its parameters."""
    schemas = schemas_of(view)
    parameters = table("parameter", "type", "default", "meaning")
    for name, schema in schemas.items():
        parameters.add_row(
            name,
            type_of(schema),
            json.dumps(schema["default"]) if "default" in schema else "(required)",
            str(schema.get("description", "")),
        )
    about = facts(
        (
            ("service", f"{view.name}, version {view.version}"),
            ("what it computes", view.title),
            ("adversary", view.adversary),
            ("parties", _party_counts(view)),
            ("roles", listed(view.roles)),
            ("outputs", listed(view.outputs)),
        )
    )
    lists = [name for name, schema in schemas.items() if is_list_of_texts(schema)]
    written = f"\nLists are written as in {how_lists_are_written(lists[0])}." if lists else ""
    shown = parameters if schemas else Text("It has no parameters.")
    return Group(about, Text(), shown, *([clean(written)] if lists else []))


def _party_counts(view: pb.ServiceView) -> str:
    if view.fewest_parties == view.most_parties:
        return str(view.fewest_parties)
    return f"{view.fewest_parties} to {view.most_parties}"


def peers(all_peers: Sequence[pb.Peer]) -> Table:
    """List peers."""
    made = table("peer", "node id", "address", "state", "reachable", "last seen", "#letters")
    for one in all_peers:
        made.add_row(
            clean(one.name),
            f"{one.node_id.partition('-')[0]}-…",
            clean(one.address),
            state(one.state),
            _reachable(one),
            minute(one.last_seen_milliseconds),
            str(one.outbox_count),
        )
    return made


def peer(one: pb.Peer) -> RenderableType:
    """Show one peer."""
    return facts(
        (
            ("peer", one.name),
            ("node id", one.node_id),
            ("address", one.address),
            ("former address", one.former_address),
            ("state", state(one.state)),
            ("ended", one.ended),
            ("authentication string", one.authentication_string),
            ("confirmed", _confirmed(one) if one.state == "confirming" else ""),
            ("reachable", _reachable(one)),
            ("trouble", one.trouble),
            ("remedy", one.remedy),
            ("version", one.version),
            ("last seen", moment(one.last_seen_milliseconds)),
            ("letters waiting", str(one.outbox_count)),
        )
    )


def _reachable(one: pb.Peer) -> Text:
    if one.reachable:
        return Text("yes", style="green")
    return Text("no", style="red") if one.trouble else Text("unknown", style="dim")


def _confirmed(one: pb.Peer) -> str:
    here = "confirmed here" if one.confirmed_here else "not yet confirmed here"
    there = "confirmed there" if one.confirmed_there else "not yet confirmed there"
    return f"{here}, {there}"


def invitations(all_invitations: Sequence[pb.Invitation]) -> Table:
    """List invitations; their secrets are not known any more."""
    made = table("invitation", "state", "expires", "#wrong codes")
    for one in all_invitations:
        made.add_row(
            one.id, state(one.state), moment(one.expires_milliseconds), str(one.wrong_codes)
        )
    return made


def invitation(one: pb.Invitation) -> RenderableType:
    """Show an invitation, with its secrets if it is a new one."""
    return facts(
        (
            ("invitation", one.id),
            ("text", one.text),
            ("or address", one.address if one.words else ""),
            ("and words", one.words),
            ("state", state(one.state)),
            ("expires", moment(one.expires_milliseconds)),
        )
    )


def qr_code(text: str) -> Text:
    """Draw a text as a QR code in half blocks."""
    drawing = io.StringIO()
    segno.make(text, error="l").terminal(drawing, compact=True)
    return Text(drawing.getvalue(), no_wrap=True)


def datasets(all_datasets: Sequence[pb.Dataset]) -> Table:
    """List datasets, this node's own first."""
    made = table("dataset", "#rows", "#columns", "key", "normal form", "published to")
    for one in sorted(all_datasets, key=lambda one: (bool(one.peer_id), one.peer_name, one.name)):
        made.add_row(
            clean(dataset_name(one)),
            row_count(one),
            str(len(one.columns)),
            clean(listed(one.key)),
            listed(one.normal_form),
            Text("(the peer's)", style="dim")
            if one.peer_id
            else clean(listed(publication_peers(one))),
        )
    return made


def dataset(one: pb.Dataset) -> RenderableType:
    """Show one dataset with its schema and what was found in it."""
    about = facts(
        (
            ("dataset", dataset_name(one)),
            ("source", one.source),
            ("rows", row_count(one)),
            ("key", listed(one.key)),
            ("normal form", listed(one.normal_form)),
            ("bad keys", Text() if one.peer_id else _bad_keys(one)),
            ("published to", publications(one)),
            ("may be given", listed(one.payload)),
            ("fingerprint", one.fingerprint),
            ("added", moment(one.added_milliseconds)),
        )
    )
    columns = table("column", "type") if one.peer_id else table("column", "type", "#nulls")
    for column in one.columns:
        cells = [clean(column.name), clean(column.type)]
        columns.add_row(*cells, *([] if one.peer_id else [f"{column.null_count:,}"]))
    return Group(about, Text(), columns)


def dataset_name(one: pb.Dataset) -> str:
    """Return the name by which commands know a dataset: NAME, or PEER/NAME."""
    return f"{one.peer_name}/{one.name}" if one.peer_id else one.name


def row_count(one: pb.Dataset | pb.JobParty) -> str:
    """Return how many rows there are, as far as it is told."""
    return f"up to {one.row_count:,}" if one.is_bound else f"{one.row_count:,}"


def publication_peers(one: pb.Dataset) -> list[str]:
    """Return to whom a dataset is published."""
    return [publication.peer for publication in one.publications]


def publications(one: pb.Dataset) -> str:
    """Return to whom a dataset is published, and on which terms."""
    return "; ".join(map(_publication, one.publications))


def _publication(one: pb.Publication) -> str:
    terms = [f"as up to {one.rows_up_to:,} rows"] if one.rows_up_to else []
    terms += [f"giving {listed(one.payload)}"] if one.payload else []
    return f"{one.peer} ({', '.join(terms)})" if terms else one.peer


def _bad_keys(one: pb.Dataset) -> Text:
    found = one.null_key_count + one.duplicate_key_count
    words = f"{one.null_key_count:,} null, {one.duplicate_key_count:,} duplicate"
    return Text(words, style="red" if found else "")


def state(name: str) -> Text:
    """Return the name of a peer's or invitation's state in its colour."""
    return Text(name, style=_STATE_STYLES.get(name, ""))


def policy_versions(versions: Sequence[pb.Policy]) -> Table:
    """List the versions of a policy."""
    made = table("#version", "digest", "changed", "by")
    for one in versions:
        digest = f"{one.digest[:16]}…" if one.digest else "taken away"
        made.add_row(
            str(one.version), digest, minute(one.changed_milliseconds), clean(one.changed_by)
        )
    return made


def ledger_entries(entries: Sequence[pb.LedgerEntry]) -> Table:
    """List entries of the ledger, with ids and digests cut short."""
    made = table("#entry", "when", "what", "by", "job", "says")
    for one in entries:
        said = clean(_said(one.facts)) if one.facts else Text("pruned", style="yellow")
        when, who = minute(one.at_milliseconds), clean(_actor(one.actor))
        made.add_row(str(one.index), when, one.kind, who, one.job[:SHOWN_ID], said)
    return made


def _actor(said: str) -> str:
    who = json.loads(said or "{}")
    kind = who.pop("who", "")
    return f"{kind} {' '.join(_short(value) for value in who.values())}".strip()


def _said(facts_: str) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in json.loads(facts_).items())


def _short(value: object) -> str:
    """Return a value so that it fits into a list."""
    if isinstance(value, list):
        many = f"{len(value)} sentences"
        return many if any(" " in one for one in value) else " ".join(map(_short, value))
    text = str(value)
    if _NODE_ID.fullmatch(text):
        return text[:7]
    return f"{text[:12]}…" if _HASH.fullmatch(text) else text


def ledger_verified(found: pb.VerifiedLedger) -> RenderableType:
    """Show what was found whole."""
    pruned = f"those before {found.pruned_up_to}, whose hashes stay" if found.pruned_up_to else ""
    return facts(
        (
            ("ledger", "whole: every entry, hash and checkpoint fits"),
            ("entries", str(found.size)),
            ("root", found.root),
            ("checkpoints", str(found.checkpoints)),
            ("pruned", pruned),
        )
    )


def ledger_pruned(left: pb.PrunedLedger) -> RenderableType:
    """Show what is left whole."""
    waiting = "older ones stay until the receiver of the export has them"
    return facts(
        (
            ("kept whole", f"all entries from {left.kept_from} on"),
            ("not yet pruned", waiting if left.waits_for_export else ""),
        )
    )


def ledger_receiver(one: pb.LedgerReceiver) -> RenderableType:
    """Show whom the ledger is sent to."""
    if not one.address:
        return Text("The ledger is sent to nobody.")
    return facts(
        (
            ("receiver", one.address),
            ("CA (SHA-256)", one.authority_sha256),
            ("set", f"{moment(one.set_milliseconds)} by {one.set_by}"),
            ("entries sent", f"{one.sent} of {one.size}"),
            ("trouble", one.trouble),
        )
    )


def ledger_checkpoint(shown: pb.LedgerCheckpoint) -> RenderableType:
    """Show the signed note, and how far each peer agrees."""
    peers = table("peer", "#we showed", "#it signed", "#we signed of its", "forks")
    for one in shown.peers:
        forks = Text(str(one.forks), style="red") if one.forks else Text("none")
        peers.add_row(clean(one.peer), str(one.shown), str(one.signed), str(one.theirs), forks)
    return Group(clean(shown.note), peers) if shown.peers else clean(shown.note)


def grants(all_grants: Sequence[pb.Grant]) -> Table:
    """List grants."""
    made = table("grant", "by", "to", "dataset", "service", "#taken", "#of", "until")
    for one in all_grants:
        until = Text("revoked", style="red")
        made.add_row(
            one.id,
            clean(one.grantor or "this node"),
            clean(listed(one.grantees)),
            clean(one.dataset),
            one.service,
            str(one.taken),
            str(one.uses),
            until if one.revoked_milliseconds else minute(one.expires_milliseconds),
        )
    return made


def grant(one: pb.Grant) -> RenderableType:
    """Show a grant in full."""
    columns = [f"{column.name} ({', '.join(column.uses)})" for column in one.columns]
    return facts(
        (
            ("grant", one.id),
            ("to", listed(one.grantees)),
            ("dataset", one.dataset),
            ("service", one.service),
            ("columns", listed(columns)),
            ("uses", f"{one.taken} of {one.uses} taken"),
            ("until", moment(one.expires_milliseconds)),
        )
    )
