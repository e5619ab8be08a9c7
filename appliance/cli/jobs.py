"""``coffer jobs …``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.ways import Refused
from appliance.cli import completion, job_views, views
from appliance.cli.delivery import tell_job_undelivered
from appliance.cli.fetch import fetched
from appliance.cli.figures import MOST_ROWS, figures
from appliance.cli.names import find_service, nearest_names
from appliance.cli.parameters import compose_parameters, find_defaults, parse_settings
from appliance.cli.results import Format, copy_results, format_of
from appliance.cli.submission import give_outputs, parse_parties
from appliance.cli.terminal import Terminal, terminal_of
from appliance.cli.watch import follow

jobs = typer.Typer(no_args_is_help=True, help="Joint computations: propose, approve, follow.")

# What a contract can say at the most; a node's owner may allow less.
_MOST_GRACE_SECONDS: Final = 3600
_MOST_SECONDS: Final = 7 * 24 * 3600

JobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="A job's id, or how it begins.", autocompletion=completion.jobs
    ),
]
WaitingJobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="A job's id, or how it begins.", autocompletion=completion.waiting_jobs
    ),
]
Ours = Annotated[
    str,
    typer.Option(metavar="DATASET", help="Our dataset.", autocompletion=completion.own_datasets),
]
Theirs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PEER/DATASET",
        help="A peer's dataset; repeat it for more peers.",
        autocompletion=completion.peer_datasets,
    ),
]
AnyParty = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NODE:DATASET[:ROLE]",
        help='Any party, in order of rank, instead of --ours and --theirs; "me" is this node.',
    ),
]


@jobs.command("submit")
def submit(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", autocompletion=completion.services)],
    ours: Ours = "",
    theirs: Theirs = None,
    party: AnyParty = None,
    to: Annotated[
        str,
        typer.Option(metavar="NODES", help="Who receives the outputs: a,b; or NODE:OUTPUT."),
    ] = "me",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Sets a parameter; a list as KEY=a,b."),
    ] = None,
    grace: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            help="How long to bridge a lost connection.",
            min=0,
            max=_MOST_GRACE_SECONDS,
            show_default=False,
        ),
    ] = 0,
    most: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            help="The longest the job may run.",
            min=0,
            max=_MOST_SECONDS,
            show_default=False,
        ),
    ] = 0,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
) -> None:
    """Propose a joint computation to its other parties."""
    terminal = terminal_of(ctx)
    settings = parse_settings(set_ or [])
    parties = parse_parties(ours=ours, theirs=theirs or [], named=party or [])
    with terminal.connect() as client:
        chosen = find_service(client, service)
        give_outputs(client, chosen, parties, to)
        named = [f"{party.node}/{party.dataset}" for party in parties if party.node]
        with nearest_names(client, named):
            made = client.submit_job(
                service,
                parties=parties,
                parameters=compose_parameters(chosen, settings),
                grace_seconds=grace,
                most_seconds=most,
            )
        terminal.answer(made, job_views.outcome(made))
        _tell_disclosure(terminal, made)
        if watch:
            _watch(terminal, client, made.id)
        else:
            tell_job_undelivered(terminal, client, made)


@jobs.command("list")
def list_jobs(
    ctx: typer.Context,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that wait for this node's approval.")
    ] = False,
    after: Annotated[
        str,
        typer.Option(
            metavar="JOB", help="Only older ones than this.", autocompletion=completion.jobs
        ),
    ] = "",
    most: Annotated[
        int, typer.Option(metavar="COUNT", help="How many to list.", min=1, max=500)
    ] = 100,
) -> None:
    """List jobs, newest first."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        page = client.list_jobs(waiting=waiting, after=after, most=most)
    terminal.answer_list("jobs", page.jobs, job_views.jobs(page.jobs))
    if page.more:
        last = page.jobs[-1].id[: views.SHOWN_ID]
        terminal.say(f'There are older ones: "coffer jobs list --after {last}".')


@jobs.command("show")
def show(
    ctx: typer.Context,
    job: JobId,
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="Of what each party learns: en or zh-CN.")
    ] = "en",
) -> None:
    """Show a job: its parties, what each learns, what happened and why."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.get_job(job, language=language)
        terminal.answer(found, job_views.job(found))
        tell_job_undelivered(terminal, client, found)


@jobs.command("approve")
def approve(
    ctx: typer.Context,
    job: WaitingJobId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    digest: Annotated[
        str, typer.Option(metavar="DIGEST", help="Approve only the contract with this digest.")
    ] = "",
) -> None:
    """Show the contract and what each party will learn, ask, and sign what was shown."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.get_job(job)
        if digest and digest.casefold() != found.digest:
            raise Refused(
                f"the digest of this contract is {found.digest}, not the one given",
                remedy=f'read it: "coffer jobs show {found.id}"',
            )
        if found.state == "waiting_approval":
            _tell_proposal(terminal, client, found)
            if not yes and not terminal.ask("Approve and sign?"):
                raise Refused(
                    "nothing was approved", remedy='to refuse it, run "coffer jobs reject"'
                )
        approved = client.approve_job(found.id, found.digest)
    terminal.answer(approved, job_views.outcome(approved))


@jobs.command("reject")
def reject(
    ctx: typer.Context,
    job: WaitingJobId,
    note: Annotated[str, typer.Option(metavar="WORDS", help="Told to the other parties.")] = "",
) -> None:
    """Refuse a proposed job."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.reject_job(job, note)
    terminal.answer(found, job_views.outcome(found))


@jobs.command("cancel")
def cancel(ctx: typer.Context, job: JobId) -> None:
    """Stop a job at every party."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        found = client.cancel_job(job)
    terminal.answer(found, job_views.outcome(found))


@jobs.command("watch")
def watch(ctx: typer.Context, job: JobId) -> None:
    """Follow a job to its end; with --json, one line for each change."""
    terminal = terminal_of(ctx)
    with terminal.connect() as client:
        _watch(terminal, client, job)


@jobs.command("result")
def result(
    ctx: typer.Context,
    job: JobId,
    copy_to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Copy the files to a folder or file.")
    ] = None,
    asked: Annotated[
        Format | None,
        typer.Option("--format", help="Of the copies; by default by the file's suffix."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Say where a job's results lie on this node and show small ones, or copy them."""
    terminal = terminal_of(ctx)
    form = format_of(copy_to, asked) if copy_to is not None else Format.PARQUET
    with terminal.connect() as client:
        found = client.get_result(job)
        is_shown = copy_to is None and found.files and not terminal.as_json
        if copy_to is not None:
            near = copy_to if copy_to.is_dir() else copy_to.absolute().parent
            with fetched(terminal, client, job, found, near=near) as here:
                found = copy_results(here, copy_to, replace=force, form=form)
        terminal.answer(
            found, job_views.results(found) if found.files else "no output is for this node"
        )
        if is_shown:
            _show_figures(terminal, client, job, found, client.get_job(job).service)


def _show_figures(
    terminal: Terminal, client: Client, job_id: str, found: pb.JobResult, service: str
) -> None:
    with fetched(terminal, client, job_id, found, most_rows=MOST_ROWS) as here:
        terminal.out.print(figures(here, service))


def _tell_disclosure(terminal: Terminal, job: pb.Job) -> None:
    for line in job_views.disclosure_lines(job):
        terminal.say(line)
    if job.most_seconds:
        terminal.say(f"Limits: {job_views.limits(job)}.")


def _tell_proposal(terminal: Terminal, client: Client, job: pb.Job) -> None:
    """Show all that an approval signs, among it what the contract leaves at its default."""
    terminal.present(job_views.job(job, find_defaults(client, job.service)))
    terminal.say(f"\nIt can be approved for another {job_views.time_left(job)}.")


def _watch(terminal: Terminal, client: Client, job_id: str) -> None:
    last = pb.Job()
    with terminal.upon_interrupt(
        f'The job goes on. To follow it: "coffer jobs watch {job_id}"; to stop it at every party: '
        f'"coffer jobs cancel {job_id}".'
    ):
        for count, last in enumerate(follow(client.watch_job(job_id), terminal.talk)):
            if terminal.as_json:
                terminal.answer(last, "")
            elif count == 0:
                tell_job_undelivered(terminal, client, last)
    if not terminal.as_json:
        terminal.answer(last, job_views.outcome(last))
        if job_views.has_result(last):
            found = client.get_result(last.id)
            _show_figures(terminal, client, last.id, found, last.service)
    if last.state != "succeeded":
        raise Refused(f"the job did not succeed: {last.cause}", remedy=last.remedy)
