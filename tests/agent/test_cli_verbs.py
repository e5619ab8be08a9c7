import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from tests.agent.cli_sides import (
    JOB_ID,
    a_peer,
    coffer,
    lay_services,
)
from tests.doubles import FakeAgent

EVERY_VERB = {
    ("node", "show"): ("Node/ShowNode", pb.NodeView()),
    ("machine", "show"): ("Machine/ShowMachine", pb.MachineView()),
    ("machine", "hardware"): ("Machine/ShowHardware", pb.Hardware()),
    ("machine", "report"): ("Machine/ShowHardening", pb.Hardening()),
    ("machine", "restart", "--yes"): ("Machine/Restart", pb.RestartReply()),
    ("machine", "power-off", "--yes"): ("Machine/PowerOff", pb.PowerOffReply()),
    ("machine", "network"): ("Machine/ShowNetwork", pb.NetworkView()),
    ("machine", "set-network", "e0"): ("Machine/SetNetwork", pb.NetworkView()),
    ("machine", "confirm-network"): ("Machine/ConfirmNetwork", pb.NetworkView()),
    ("machine", "time"): ("Machine/ShowTime", pb.TimeView()),
    ("machine", "set-time-servers", "t"): ("Machine/SetTimeServers", pb.TimeView()),
    ("machine", "disks"): ("Machine/ListDisks", pb.ListDisksReply()),
    ("machine", "disk-keys"): ("Machine/ShowDiskKeys", pb.DiskKeys()),
    ("machine", "add-recovery-key", "--yes"): ("Machine/AddRecoveryKey", pb.RecoveryKey()),
    ("machine", "bind-disk"): ("Machine/BindDisk", pb.DiskKeys()),
    ("machine", "factory-reset", "--serial-number", "1"): (
        "Machine/FactoryReset",
        pb.FactoryResetReply(),
    ),
    ("machine", "logs"): ("Machine/ReadLog", pb.Log()),
    ("machine", "support-bundle", "fault.tar.gz"): ("Machine/WriteSupportBundle", pb.BundleChunk()),
    ("updates", "show"): ("Updates/ShowSlots", pb.SlotsView()),
    ("updates", "check"): ("Updates/CheckUpdate", pb.CheckUpdateReply()),
    ("updates", "install"): ("Updates/InstallUpdate", pb.UpdateProgress(stage="ready")),
    ("updates", "cancel"): ("Updates/CancelUpdate", pb.SlotsView()),
    ("updates", "source", ""): ("Updates/SetSource", pb.SlotsView()),
    ("updates", "rollback"): ("Updates/StartOtherSlot", pb.SlotsView()),
    ("services", "list"): ("Node/ListServices", pb.ListServicesReply()),
    ("peers", "invite"): ("Peers/Invite", pb.Invitation()),
    ("peers", "invitations"): ("Peers/ListInvitations", pb.ListInvitationsReply()),
    ("peers", "withdraw", "i"): ("Peers/WithdrawInvitation", pb.Invitation()),
    ("peers", "accept"): ("Peers/Accept", pb.Peer()),
    ("peers", "confirm", "p", "--yes"): ("Peers/Confirm", pb.Peer()),
    ("peers", "reject", "p"): ("Peers/Reject", pb.Peer()),
    ("peers", "list"): ("Peers/ListPeers", pb.ListPeersReply()),
    ("peers", "show", "p"): ("Peers/GetPeer", pb.Peer()),
    ("peers", "move", "p", "a:1"): ("Peers/MovePeer", pb.Peer()),
    ("peers", "unpair", "p", "--yes"): ("Peers/Unpair", pb.Peer()),
    ("peers", "forget", "p"): ("Peers/ForgetPeer", pb.Peer()),
    ("datasets", "add", "d", "f", "--key", "k"): ("Datasets/AddDataset", pb.Dataset()),
    ("datasets", "list"): ("Datasets/ListDatasets", pb.ListDatasetsReply()),
    ("datasets", "show", "d"): ("Datasets/GetDataset", pb.Dataset()),
    ("datasets", "publish", "d", "p"): ("Datasets/PublishDataset", pb.Dataset()),
    ("datasets", "withdraw", "d"): ("Datasets/WithdrawDataset", pb.Dataset()),
    ("datasets", "remove", "d"): ("Datasets/RemoveDataset", pb.RemoveDatasetReply()),
    (
        *("accounts", "set-up", "--system-administrator", "a", "--security-administrator", "b"),
        *("--auditor", "c"),
    ): ("Accounts/SetUpAccounts", pb.EnrollingReply()),
    ("accounts", "list"): ("Accounts/ListAccounts", pb.ListAccountsReply()),
    ("accounts", "create", "a", "--role", "analyst"): ("Accounts/CreateAccount", pb.Enrolling()),
    ("accounts", "renew", "a"): ("Accounts/RenewEnrolment", pb.Enrolling()),
    ("accounts", "roles", "a", "--role", "auditor"): ("Accounts/ChangeRoles", pb.Account()),
    ("accounts", "disable", "a"): ("Accounts/DisableAccount", pb.Account()),
    ("accounts", "enrol", "a"): ("Accounts/FinishEnrolment", pb.RecoveryCodes()),
    ("accounts", "bind", "a"): ("Accounts/BindAccount", pb.Account()),
    ("accounts", "password", "a"): ("Accounts/ChangePassword", pb.Account()),
    ("accounts", "issue-token", "a", "t", "--scope", "submit-jobs", "--days", "9"): (
        "Accounts/IssueToken",
        pb.IssuedToken(),
    ),
    ("accounts", "tokens", "a"): ("Accounts/ListTokens", pb.ListTokensReply()),
    ("accounts", "revoke-token", "a", "t"): ("Accounts/RevokeToken", pb.Account()),
    ("accounts", "whoami"): ("Accounts/ShowSelf", pb.Self()),
    ("policies", "draft", "d"): ("Policies/DraftPolicy", pb.Policy()),
    ("policies", "check", "d", "-"): ("Policies/CheckPolicy", pb.Policy()),
    ("policies", "set", "d", "-", "--yes"): ("Policies/ChangePolicy", pb.Policy()),
    ("policies", "show", "d"): ("Policies/ShowPolicy", pb.Policy()),
    ("policies", "history", "d"): (
        "Policies/ListPolicyVersions",
        pb.ListPolicyVersionsReply(),
    ),
    ("policies", "remove", "d", "--yes"): ("Policies/ChangePolicy", pb.Policy()),
    ("grants", "issue", "d", "s", "p", "--uses", "2", "--days", "3", "--yes"): (
        "Grants/IssueGrant",
        pb.Grant(),
    ),
    ("grants", "list"): ("Grants/ListGrants", pb.ListGrantsReply()),
    ("grants", "revoke", "g"): ("Grants/RevokeGrant", pb.Grant()),
    ("ledger", "list"): ("Ledger/ListEntries", pb.ListEntriesReply()),
    ("ledger", "verify"): ("Ledger/VerifyLedger", pb.VerifiedLedger()),
    ("ledger", "checkpoint"): ("Ledger/ShowCheckpoint", pb.LedgerCheckpoint()),
    ("ledger", "checkpoint", "--of", "p"): ("Ledger/ShowPeerCheckpoint", pb.PeerCheckpoint()),
    ("ledger", "export", JOB_ID, "evidence.tar"): (
        "Ledger/ExportEvidence",
        pb.EvidenceChunk(chunk=b"a tar"),
    ),
    ("ledger", "prune", "--keep-days", "365", "--yes"): ("Ledger/PruneLedger", pb.PrunedLedger()),
    ("ledger", "receiver", "show"): ("Ledger/ShowReceiver", pb.LedgerReceiver()),
    ("ledger", "receiver", "set", "logs.example", "--authority", "ca.pem"): (
        "Ledger/SetReceiver",
        pb.LedgerReceiver(),
    ),
    ("ledger", "receiver", "remove"): ("Ledger/SetReceiver", pb.LedgerReceiver()),
    ("jobs", "submit", "psi.intersect", "--theirs", "p/d"): ("Jobs/SubmitJob", pb.Job()),
    ("jobs", "list"): ("Jobs/ListJobs", pb.ListJobsReply()),
    ("jobs", "show", JOB_ID): ("Jobs/GetJob", pb.Job()),
    ("jobs", "approve", JOB_ID, "--yes"): ("Jobs/ApproveJob", pb.Job()),
    ("jobs", "reject", JOB_ID): ("Jobs/RejectJob", pb.Job()),
    ("jobs", "cancel", JOB_ID): ("Jobs/CancelJob", pb.Job()),
    ("jobs", "watch", JOB_ID): ("Jobs/WatchJob", pb.Job(state="succeeded")),
    ("jobs", "result", JOB_ID): ("Jobs/GetResult", pb.JobResult()),
    ("operators", "code"): ("Operators/ShowSetUpCode", pb.SetUpCode()),
    ("operators", "list"): ("Operators/ListOperators", pb.ListOperatorsReply()),
    ("operators", "remove", "o"): ("Operators/RemoveOperator", pb.Operator()),
}
# What comes before another call of its verb, or carries files to and from a node from afar;
# see tests/fleet/test_operators.py and tests/agent/test_updates.py.
FROM_AFAR = {
    "Accounts/BeginEnrolment",
    "Datasets/UploadTable",
    "Jobs/ReadResult",
    "Updates/UploadBundle",
}


@pytest.mark.parametrize("words", EVERY_VERB)
def test_each_verb_asks_its_rpc_and_prints_nothing_but_json_on_stdout(
    agent: FakeAgent,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    for method, answer in EVERY_VERB.values():
        agent.lay(method, answer)
    agent.lay("Accounts/BeginEnrolment", pb.AuthenticatorKey())
    lay_services(agent)
    monkeypatch.chdir(agent.state)
    (agent.state / "ca.pem").write_bytes(b"a CA")
    monkeypatch.setattr(sys, "stdin", io.StringIO("coffer1:x\n"))

    code = coffer(agent, *words, "--json")

    assert code == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
    assert agent.asked_for(EVERY_VERB[words][0])


def test_every_rpc_has_its_verb() -> None:
    declared = {
        f"{service.name}/{method.name}"
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert {method for method, _ in EVERY_VERB.values()} | FROM_AFAR == declared


def test_a_service_is_shown_with_its_parameters(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"properties": {"protocol": {"type": "string", "default": "ecdh"}}}
    view = pb.ServiceView(name="psi.intersect", parameters_schema=json.dumps(schema))
    agent.lay("Node/ListServices", pb.ListServicesReply(services=[view]))

    code = coffer(agent, "services", "show", "psi.intersect")

    assert code == 0
    assert 'protocol   string  "ecdh"' in capsys.readouterr().out


def test_the_shell_completes_what_the_agent_knows(agent: FakeAgent) -> None:
    agent.lay("Peers/ListPeers", pb.ListPeersReply(peers=[a_peer("paired"), pb.Peer(name="bank")]))

    assert completed(agent.state, "peers show l") == ["laboratory"]


def test_the_shell_completes_nothing_without_an_agent(tmp_path: Path) -> None:
    assert completed(tmp_path, "peers show ") == []


def completed(state: Path, words: str) -> list[str]:
    line = f"coffer --state {state} {words}"
    environment = os.environ | {
        "_COFFER_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()
