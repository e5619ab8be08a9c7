"""The typed client of a node's API: over the agent's Unix socket, or another way to it.

Every method is one RPC. What the agent refuses is raised as :class:`Refused`, with the agent's own
words; an agent that cannot be reached is :class:`Unreachable`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

from appliance.api import agent_pb2 as pb
from appliance.api.account_calls import AccountCalls

_CHUNK_BYTES: Final = 256 << 10

Reply = TypeVar("Reply", bound=Message)


class Client(AccountCalls):
    """Asks one node's agent. Use it as a context manager, or ``close`` it."""

    # This node.

    def show_node(self) -> pb.NodeView:
        """Show who this node is and how it fares."""
        return self._ask("Node/ShowNode", pb.ShowNodeRequest(), pb.NodeView)

    def show_machine(self) -> pb.MachineView:
        """Show how the node's machine was started, and how much of it is in use."""
        return self._ask("Machine/ShowMachine", pb.ShowMachineRequest(), pb.MachineView)

    def show_hardening(self) -> pb.Hardening:
        """Hold the machine to controls that others ask of a hardened system."""
        return self._ask("Machine/ShowHardening", pb.ShowHardeningRequest(), pb.Hardening)

    def show_hardware(self) -> pb.Hardware:
        """Show the machine's maker, model and serial number."""
        return self._ask(
            "Machine/ShowHardware", pb.ShowHardwareRequest(), pb.Hardware, patient=True
        )

    def restart(self) -> None:
        """Begin to restart the machine; the agent stops soon after."""
        self._ask("Machine/Restart", pb.RestartRequest(), pb.RestartReply)

    def power_off(self) -> None:
        """Begin to switch the machine off."""
        self._ask("Machine/PowerOff", pb.PowerOffRequest(), pb.PowerOffReply)

    def show_network(self) -> pb.NetworkView:
        """Show what was set of the machine's network, and what waits to be confirmed."""
        return self._ask(
            "Machine/ShowNetwork", pb.ShowNetworkRequest(), pb.NetworkView, patient=True
        )

    def set_network(
        self, plan: pb.NetworkPlan, *, confirm_within_seconds: int = 0
    ) -> pb.NetworkView:
        """Have the machine follow a plan on trial; of 0 seconds it lasts five minutes."""
        request = pb.SetNetworkRequest(plan=plan, confirm_within_seconds=confirm_within_seconds)
        return self._ask("Machine/SetNetwork", request, pb.NetworkView, patient=True)

    def confirm_network(self) -> pb.NetworkView:
        """Keep the network that is on trial."""
        return self._ask(
            "Machine/ConfirmNetwork", pb.ConfirmNetworkRequest(), pb.NetworkView, patient=True
        )

    def show_time(self) -> pb.TimeView:
        """Show from where the machine takes the time, and how far its clock is trusted."""
        return self._ask("Machine/ShowTime", pb.ShowTimeRequest(), pb.TimeView, patient=True)

    def set_time_servers(self, servers: Sequence[pb.TimeServer]) -> pb.TimeView:
        """Take the time from other servers; from the image's own if none is named."""
        request = pb.SetTimeServersRequest(servers=servers)
        return self._ask("Machine/SetTimeServers", request, pb.TimeView, patient=True)

    def list_disks(self) -> pb.ListDisksReply:
        """List the machine's disks and file systems."""
        return self._ask("Machine/ListDisks", pb.ListDisksRequest(), pb.ListDisksReply)

    def show_disk_keys(self) -> pb.DiskKeys:
        """Show what kinds of keys open the encrypted part of the disk."""
        return self._ask(
            "Machine/ShowDiskKeys", pb.ShowDiskKeysRequest(), pb.DiskKeys, patient=True
        )

    def add_recovery_key(self) -> pb.RecoveryKey:
        """Make a recovery key in place of any older one; only this reply carries it."""
        request = pb.AddRecoveryKeyRequest()
        return self._ask("Machine/AddRecoveryKey", request, pb.RecoveryKey, patient=True)

    def bind_disk(self, *, recovery_key: str = "") -> pb.DiskKeys:
        """Bind the disk to the TPM as it is now; with a recovery key where the TPM fails."""
        request = pb.BindDiskRequest(recovery_key=recovery_key)
        return self._ask("Machine/BindDisk", request, pb.DiskKeys, patient=True)

    def factory_reset(self, serial_number: str) -> pb.FactoryResetReply:
        """Make all that the machine keeps unreadable for good; it restarts as on its first day."""
        request = pb.FactoryResetRequest(serial_number=serial_number)
        return self._ask("Machine/FactoryReset", request, pb.FactoryResetReply, patient=True)

    def read_log(self, *, unit: str = "", since_seconds: int = 0, lines: int = 0) -> pb.Log:
        """Read the newest entries of the machine's journal, of one unit or of all."""
        request = pb.ReadLogRequest(unit=unit, since_seconds=since_seconds, lines=lines)
        return self._ask("Machine/ReadLog", request, pb.Log, patient=True)

    def write_support_bundle(self) -> Iterator[bytes]:
        """Yield a support bundle, a .tar.gz without keys, names or data."""
        request = pb.WriteSupportBundleRequest()
        for part in self._follow("Machine/WriteSupportBundle", request, pb.BundleChunk):
            yield part.chunk

    def list_services(self) -> Sequence[pb.ServiceView]:
        """List the services that this node can run."""
        reply = self._ask("Node/ListServices", pb.ListServicesRequest(), pb.ListServicesReply)
        return reply.services

    # Operators.

    def show_set_up_code(self, *, renew: bool = False) -> pb.SetUpCode:
        """Show the code by which one more operator is enrolled; ``renew`` makes a new one."""
        request = pb.ShowSetUpCodeRequest(renew=renew)
        return self._ask("Operators/ShowSetUpCode", request, pb.SetUpCode)

    def list_operators(self) -> Sequence[pb.Operator]:
        """List those who administer the node from afar."""
        request = pb.ListOperatorsRequest()
        return self._ask("Operators/ListOperators", request, pb.ListOperatorsReply).operators

    def remove_operator(self, operator: str) -> pb.Operator:
        """End what an operator may do, and cut its connections."""
        request = pb.RemoveOperatorRequest(operator=operator)
        return self._ask("Operators/RemoveOperator", request, pb.Operator)

    # Peers.

    def invite(self, host: str = "") -> pb.Invitation:
        """Make an invitation; only this reply carries its secret text and words.

        host: where it says that this node is, if that is not what the node finds itself.
        """
        return self._ask("Peers/Invite", pb.InviteRequest(host=host), pb.Invitation)

    def list_invitations(self) -> Sequence[pb.Invitation]:
        """List the invitations of this node, without their secrets."""
        request = pb.ListInvitationsRequest()
        return self._ask("Peers/ListInvitations", request, pb.ListInvitationsReply).invitations

    def withdraw_invitation(self, invitation_id: str) -> pb.Invitation:
        """End an open invitation."""
        request = pb.WithdrawInvitationRequest(id=invitation_id)
        return self._ask("Peers/WithdrawInvitation", request, pb.Invitation)

    def accept(self, invitation: str) -> pb.Peer:
        """Enter an invitation of another node; the peer then waits for both confirmations."""
        request = pb.AcceptRequest(invitation=invitation)
        return self._ask("Peers/Accept", request, pb.Peer, patient=True)

    def confirm(self, peer: str) -> pb.Peer:
        """Say that both sides show the same authentication string."""
        return self._ask("Peers/Confirm", pb.ConfirmRequest(peer=peer), pb.Peer)

    def reject(self, peer: str) -> pb.Peer:
        """Say that the authentication strings differ, or that the pairing is not wanted."""
        return self._ask("Peers/Reject", pb.RejectRequest(peer=peer), pb.Peer)

    def list_peers(self) -> Sequence[pb.Peer]:
        """List the peers of this node."""
        return self._ask("Peers/ListPeers", pb.ListPeersRequest(), pb.ListPeersReply).peers

    def get_peer(self, peer: str) -> pb.Peer:
        """Get one peer, by its name, its node id, or the id's first group."""
        return self._ask("Peers/GetPeer", pb.GetPeerRequest(peer=peer), pb.Peer)

    def move_peer(self, peer: str, address: str) -> pb.Peer:
        """Tell this node a peer's new address."""
        return self._ask("Peers/MovePeer", pb.MovePeerRequest(peer=peer, address=address), pb.Peer)

    def unpair(self, peer: str) -> pb.Peer:
        """End the pairing with a peer and cut its connections."""
        return self._ask("Peers/Unpair", pb.UnpairRequest(peer=peer), pb.Peer)

    def forget_peer(self, peer: str) -> pb.Peer:
        """Take a peer whose pairing has ended off the list."""
        return self._ask("Peers/ForgetPeer", pb.ForgetPeerRequest(peer=peer), pb.Peer)

    # Datasets.

    def add_dataset(
        self,
        name: str,
        *,
        path: str = "",
        query: str = "",
        key: Sequence[str],
        normal_form: Sequence[str] = (),
        replace: bool = False,
    ) -> pb.Dataset:
        """Read a table through once and register it. It takes as long as the table is large."""
        request = pb.AddDatasetRequest(
            name=name, path=path, query=query, key=key, normal_form=normal_form, replace=replace
        )
        return self._ask("Datasets/AddDataset", request, pb.Dataset, patient=True)

    def upload_table(self, name: str, file: Path) -> str:
        """Send a table's file to the node, for the dataset ``name``; return where it lies there."""
        call = self._channel.stream_unary(
            "/coffer.agent.v1.Datasets/UploadTable",
            request_serializer=pb.UploadTableRequest.SerializeToString,
            response_deserializer=pb.UploadTableReply.FromString,
        )
        self._way.require_there()
        with file.open("rb") as reader:
            size_bytes = os.fstat(reader.fileno()).st_size
            head = pb.UploadTableRequest(
                name=name, suffix=file.suffix.lower(), size_bytes=size_bytes
            )
            chunks = iter(partial(reader.read, _CHUNK_BYTES), b"")
            parts = (pb.UploadTableRequest(chunk=chunk) for chunk in chunks)
            try:
                return str(call(chain((head,), parts), metadata=self._metadata).path)
            except grpc.RpcError as error:
                raise self._error_of(error) from None

    def list_datasets(self, *, peers: bool = False) -> Sequence[pb.Dataset]:
        """List this node's datasets, and with ``peers`` those that peers published to it."""
        request = pb.ListDatasetsRequest(peers=peers)
        return self._ask("Datasets/ListDatasets", request, pb.ListDatasetsReply).datasets

    def get_dataset(self, name: str) -> pb.Dataset:
        """Get one dataset by NAME, or PEER/NAME."""
        return self._ask("Datasets/GetDataset", pb.GetDatasetRequest(name=name), pb.Dataset)

    def publish_dataset(
        self, name: str, peers: Sequence[str], *, payload: Sequence[str] = (), rows_up_to: int = 0
    ) -> pb.Dataset:
        """Tell peers the name, schema and row count of a dataset; never a row.

        payload:    columns whose values they may be given where rows match.
        rows_up_to: what they are told instead of the row count; 0: that itself.
        """
        request = pb.PublishDatasetRequest(
            name=name, peers=peers, payload=payload, rows_up_to=rows_up_to
        )
        return self._ask("Datasets/PublishDataset", request, pb.Dataset)

    def withdraw_dataset(self, name: str, peers: Sequence[str]) -> pb.Dataset:
        """Take back a publication; no peers named means all."""
        request = pb.WithdrawDatasetRequest(name=name, peers=peers)
        return self._ask("Datasets/WithdrawDataset", request, pb.Dataset)

    def remove_dataset(self, name: str) -> None:
        """Forget a dataset; its file stays as it is."""
        request = pb.RemoveDatasetRequest(name=name)
        self._ask("Datasets/RemoveDataset", request, pb.RemoveDatasetReply)

    # Policies.

    def draft_policy(self, dataset: str) -> pb.Policy:
        """Get a text for a dataset's policy that allows nothing yet."""
        request = pb.DraftPolicyRequest(dataset=dataset)
        return self._ask("Policies/DraftPolicy", request, pb.Policy)

    def check_policy(self, dataset: str, text: str) -> pb.Policy:
        """Say how a text is understood, and what to look at again; nothing is kept."""
        request = pb.CheckPolicyRequest(dataset=dataset, text=text)
        return self._ask("Policies/CheckPolicy", request, pb.Policy)

    def change_policy(self, dataset: str, text: str, *, over: int) -> pb.Policy:
        """Put a policy in place of the version ``over``; an empty text takes it away."""
        request = pb.ChangePolicyRequest(dataset=dataset, text=text, over=over)
        return self._ask("Policies/ChangePolicy", request, pb.Policy)

    def show_policy(self, dataset: str, version: int = 0) -> pb.Policy:
        """Show a version of a policy, the newest if it is 0."""
        request = pb.ShowPolicyRequest(dataset=dataset, version=version)
        return self._ask("Policies/ShowPolicy", request, pb.Policy)

    def list_policy_versions(self, dataset: str) -> Sequence[pb.Policy]:
        """List all versions of a policy, the newest first, without their texts."""
        request = pb.ListPolicyVersionsRequest(dataset=dataset)
        reply = self._ask("Policies/ListPolicyVersions", request, pb.ListPolicyVersionsReply)
        return reply.versions

    # Grants.

    def issue_grant(
        self,
        dataset: str,
        peers: Sequence[str],
        service: str,
        *,
        uses: int,
        expires_milliseconds: int,
    ) -> pb.Grant:
        """Grant peers several jobs of a service, as far as the dataset's policy allows."""
        request = pb.IssueGrantRequest(
            dataset=dataset,
            peers=peers,
            service=service,
            uses=uses,
            expires_milliseconds=expires_milliseconds,
        )
        return self._ask("Grants/IssueGrant", request, pb.Grant)

    def list_grants(self) -> Sequence[pb.Grant]:
        """List the grants for more than one job, this node's and its peers'."""
        return self._ask("Grants/ListGrants", pb.ListGrantsRequest(), pb.ListGrantsReply).grants

    def revoke_grant(self, grant_id: str) -> pb.Grant:
        """Take a grant back; jobs that depend on it end."""
        return self._ask("Grants/RevokeGrant", pb.RevokeGrantRequest(id=grant_id), pb.Grant)

    # The ledger.

    def list_entries(
        self,
        *,
        most: int = 0,
        before: int | None = None,
        kinds: Sequence[str] = (),
        job_id: str = "",
    ) -> pb.ListEntriesReply:
        """List entries of the ledger, newest first; ``before`` as of the page before."""
        request = pb.ListEntriesRequest(most=most, before=before, kinds=kinds, job=job_id)
        return self._ask("Ledger/ListEntries", request, pb.ListEntriesReply)

    def verify_ledger(self, checkpoint: str = "") -> pb.VerifiedLedger:
        """Have all of the ledger computed anew, and held to a checkpoint that somebody kept."""
        request = pb.VerifyLedgerRequest(checkpoint=checkpoint)
        return self._ask("Ledger/VerifyLedger", request, pb.VerifiedLedger, patient=True)

    def show_checkpoint(self) -> pb.LedgerCheckpoint:
        """Show what the ledger is now, and how far peers have signed it."""
        request = pb.ShowCheckpointRequest()
        return self._ask("Ledger/ShowCheckpoint", request, pb.LedgerCheckpoint)

    def show_peer_checkpoint(self, peer: str) -> pb.PeerCheckpoint:
        """Show what the node holds of a peer's ledger, by the peer's name or node id."""
        request = pb.ShowPeerCheckpointRequest(peer=peer)
        return self._ask("Ledger/ShowPeerCheckpoint", request, pb.PeerCheckpoint)

    def export_evidence(
        self, job_id: str = "", *, entries: pb.EntryRange | None = None, alone: bool = False
    ) -> Iterator[bytes]:
        """Yield the parts of a tar that proves what the ledger says of a job, or in some entries.

        alone: whether other nodes' signatures may be missing.
        """
        request = pb.ExportEvidenceRequest(job=job_id, alone=alone, entries=entries)
        for part in self._follow("Ledger/ExportEvidence", request, pb.EvidenceChunk):
            yield part.chunk

    def prune_ledger(self, keep_days: int) -> pb.PrunedLedger:
        """Forget what entries older than so many days say."""
        request = pb.PruneLedgerRequest(keep_days=keep_days)
        return self._ask("Ledger/PruneLedger", request, pb.PrunedLedger, patient=True)

    def show_receiver(self) -> pb.LedgerReceiver:
        """Show whom the ledger is sent to, and how far it has it."""
        return self._ask("Ledger/ShowReceiver", pb.ShowReceiverRequest(), pb.LedgerReceiver)

    def set_receiver(self, address: str, authority: bytes = b"") -> pb.LedgerReceiver:
        """Have the ledger sent to a receiver that a CA (PEM) vouches for; to nobody if empty."""
        request = pb.SetReceiverRequest(address=address, authority=authority)
        return self._ask("Ledger/SetReceiver", request, pb.LedgerReceiver)

    # Jobs.

    def submit_job(
        self,
        service: str,
        *,
        parties: Sequence[pb.SubmitParty],
        parameters: str = "{}",
        grace_seconds: int = 0,
        most_seconds: int = 0,
    ) -> pb.Job:
        """Compose, check and sign a contract and propose it; it may rehash the dataset first."""
        request = pb.SubmitJobRequest(
            service=service,
            parameters=parameters,
            parties=parties,
            grace_seconds=grace_seconds,
            most_seconds=most_seconds,
        )
        return self._ask("Jobs/SubmitJob", request, pb.Job, patient=True)

    def list_jobs(
        self, *, waiting: bool = False, after: str = "", most: int = 0
    ) -> pb.ListJobsReply:
        """List the newest jobs, or of those that wait for this node's approval.

        ``after`` is the id of the last job of the page before, ``most`` the size of a page.
        """
        request = pb.ListJobsRequest(waiting=waiting, after=after, most=most)
        return self._ask("Jobs/ListJobs", request, pb.ListJobsReply)

    def get_job(self, job_id: str, *, language: str = "") -> pb.Job:
        """Get one job; ``language``: of its disclosure, en or zh-CN, empty for English."""
        request = pb.GetJobRequest(id=job_id, language=language)
        return self._ask("Jobs/GetJob", request, pb.Job)

    def approve_job(self, job_id: str, digest: str) -> pb.Job:
        """Sign the contract whose ``digest`` the approver read; it may rehash the dataset first."""
        request = pb.ApproveJobRequest(id=job_id, digest=digest)
        return self._ask("Jobs/ApproveJob", request, pb.Job, patient=True)

    def reject_job(self, job_id: str, note: str) -> pb.Job:
        """Refuse a contract that another party proposed; the other parties are told the note."""
        return self._ask("Jobs/RejectJob", pb.RejectJobRequest(id=job_id, note=note), pb.Job)

    def cancel_job(self, job_id: str) -> pb.Job:
        """Stop a job at every party."""
        return self._ask("Jobs/CancelJob", pb.CancelJobRequest(id=job_id), pb.Job)

    def watch_job(self, job_id: str) -> Iterator[pb.Job]:
        """Yield the job at once and again after each change, until it has ended."""
        yield from self._follow("Jobs/WatchJob", pb.WatchJobRequest(id=job_id), pb.Job)

    def get_result(self, job_id: str) -> pb.JobResult:
        """Say where the results of a job lie."""
        return self._ask("Jobs/GetResult", pb.GetResultRequest(id=job_id), pb.JobResult)

    def read_result(self, job_id: str, output: str) -> Iterator[bytes]:
        """Yield one of a job's result files."""
        request = pb.ReadResultRequest(id=job_id, output=output)
        for part in self._follow("Jobs/ReadResult", request, pb.ResultChunk):
            yield part.chunk

    # The appliance's two slots.

    def show_slots(self) -> pb.SlotsView:
        """Show both slots, what became of the last update, and where updates come from."""
        return self._ask("Updates/ShowSlots", pb.ShowSlotsRequest(), pb.SlotsView)

    def upload_bundle(
        self, file: Path, sha256: str, tell: Callable[[int], None] = lambda count: None
    ) -> int:
        """Send a bundle, or what of it is not there yet; return how many bytes are there.

        tell: hears how many bytes have been sent so far.
        """
        known = self.show_slots()
        call = self._channel.stream_unary(
            "/coffer.agent.v1.Updates/UploadBundle",
            request_serializer=pb.UploadBundleRequest.SerializeToString,
            response_deserializer=pb.UploadBundleReply.FromString,
        )
        with file.open("rb") as reader:
            size_bytes = os.fstat(reader.fileno()).st_size
            is_known = (known.incoming_sha256, known.incoming_size_bytes) == (sha256, size_bytes)
            offset = known.incoming_bytes if is_known else 0
            reader.seek(offset)

            def parts() -> Iterator[pb.UploadBundleRequest]:
                yield pb.UploadBundleRequest(size_bytes=size_bytes, sha256=sha256, offset=offset)
                for chunk in iter(partial(reader.read, _CHUNK_BYTES), b""):
                    yield pb.UploadBundleRequest(chunk=chunk)
                    tell(reader.tell())

            try:
                return int(call(parts(), metadata=self._metadata).incoming_bytes)
            except grpc.RpcError as error:
                raise self._error_of(error) from None

    def check_update(self) -> pb.CheckUpdateReply:
        """Say what the vendor's server has."""
        request = pb.CheckUpdateRequest()
        return self._ask("Updates/CheckUpdate", request, pb.CheckUpdateReply, patient=True)

    def install_update(
        self, *, fetch: bool = False, from_stick: bool = False
    ) -> Iterator[pb.UpdateProgress]:
        """Yield how far the installation is until it has ended.

        fetch: the newest bundle before; from_stick: the one on a USB stick; else the uploaded one.
        """
        request = pb.InstallUpdateRequest(fetch=fetch, from_stick=from_stick)
        yield from self._follow("Updates/InstallUpdate", request, pb.UpdateProgress)

    def cancel_update(self) -> pb.SlotsView:
        """Stop an installation, or withdraw an update that waits for a restart."""
        request = pb.CancelUpdateRequest()
        return self._ask("Updates/CancelUpdate", request, pb.SlotsView, patient=True)

    def set_source(self, url: str, authority: str = "") -> pb.SlotsView:
        """Say from where updates are fetched; from nowhere if the URL is empty."""
        request = pb.SetSourceRequest(url=url, authority=authority)
        return self._ask("Updates/SetSource", request, pb.SlotsView)

    def start_other_slot(self) -> pb.SlotsView:
        """Have the version in the other slot start at the next restart."""
        request = pb.StartOtherSlotRequest()
        return self._ask("Updates/StartOtherSlot", request, pb.SlotsView, patient=True)
