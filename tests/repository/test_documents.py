import re
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from typer.core import TyperCommand, TyperGroup

from appliance.agent.config import ApplianceConfig
from appliance.cli.app import command_tree
from bench.__main__ import BENCHMARKS
from tests.repository import diagrams, tree

DOCUMENTS: Final = ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md")
MOST_ARCHITECTURE_LINES: Final = 200
RESULT_HEADING: Final = re.compile(
    r"\d{4}-\d\d-\d\d, `python -m bench ([a-z_]+)(?: --[a-z]+| --case [a-z0-9-]+)*`"
)
WITHOUT_COMMAND: Final = "Figures without a command"


def text_of(name: str) -> str:
    return (tree.ROOT / name).read_text(encoding="utf-8")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text_of(document), re.MULTILINE))

    assert named <= make_targets()


def test_readme_names_the_two_commands_and_where_to_read_on() -> None:
    readme = text_of("README.md")

    for words in ("make demo", "make test", "make demo EXIT=1", *DOCUMENTS[1:], "LICENSE"):
        assert words in readme


def test_each_make_target_has_its_line_of_help() -> None:
    makefile = text_of("Makefile")

    assert make_targets() == set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert set(re.findall(r"\.PHONY: (.*)", makefile)[0].split()) == make_targets()


def commands_in(document: str) -> list[list[str]]:
    """Return the words of each ``coffer …`` that a document tells people to type."""
    found = re.findall(r"(?:^|`|  )coffer ((?:[^`\n ]| (?! ))+)", text_of(document), re.MULTILINE)
    return [re.split(r" 2?[>&|]", words)[0].split() for words in found if words[0].isalpha()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_coffer_command_in_a_document_exists_with_its_options(document: str) -> None:
    for words in commands_in(document):
        command: object = command_tree()
        for word in words:
            if isinstance(command, TyperGroup):
                assert word in command.commands or word.startswith("-"), f"coffer {' '.join(words)}"
                command = command.commands.get(word, command)
            elif isinstance(command, TyperCommand) and word.startswith("--"):
                known = {
                    name for one in command.params for name in (*one.opts, *one.secondary_opts)
                }
                assert word in known, f"coffer {' '.join(words)}"


def test_readme_walks_the_whole_way() -> None:
    verbs = {tuple(words[:2]) for words in commands_in("README.md")}

    assert {("peers", "invite"), ("peers", "accept"), ("datasets", "add")} <= verbs
    assert {("jobs", "submit"), ("jobs", "approve"), ("jobs", "result")} <= verbs


@pytest.mark.parametrize("document", [*DOCUMENTS, "bench/RESULTS.md"])
def test_links_lead_somewhere(document: str) -> None:
    folder = (tree.ROOT / document).parent

    for target in re.findall(r"\]\(([^)#:]+)\)", text_of(document)):
        assert (folder / target).exists(), target


def test_architecture_names_every_package() -> None:
    folders = {path.parent for path in tree.files() if path.name == "__init__.py"}
    packages = {folder.relative_to(tree.ROOT) for folder in folders} - {Path("appliance")}
    words = text_of("ARCHITECTURE.md")
    named = {package for package in packages if f"`{package}/`" in words}

    assert {
        package for package in packages if named.isdisjoint((package, *package.parents))
    } == set()
    assert {one for one in packages if one.parent == Path("appliance")} <= named


def mapped_files() -> dict[str, set[str]]:
    """Return the files that the code map names, by folder; a row "…" goes on with its folder."""
    text = text_of("ARCHITECTURE.md").partition("## Code map")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    folder = ""
    for cell in re.findall(r"^\| ([`…].*?) \|", text, re.MULTILINE):
        if not cell.startswith("…"):
            folder = re.findall(r"`([\w/]+/)", cell)[0]
        found.setdefault(folder, set()).update(re.findall(r"(\w+\.(?:py|md))`", cell))
    return found


def test_the_code_map_names_every_file_of_the_agent() -> None:
    files = {path.name for path in tree.files() if path.parent == tree.ROOT / "appliance/agent"}

    assert mapped_files()["appliance/agent/"] == files - {"__init__.py"}


def test_every_file_that_the_code_map_names_exists() -> None:
    missing = [
        f"{folder}{name}"
        for folder, names in mapped_files().items()
        for name in names
        if not (tree.ROOT / folder / name).is_file()
    ]

    assert missing == []


def test_readme_explains_every_setting_of_the_configuration_file() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", text_of("README.md"), re.MULTILINE)

    assert rows == [name for name in ApplianceConfig.model_fields if name != "state"]


def test_architecture_stays_short_enough_to_be_read() -> None:
    assert len(text_of("ARCHITECTURE.md").splitlines()) <= MOST_ARCHITECTURE_LINES


def test_files_that_documents_name_exist() -> None:
    for document in DOCUMENTS:
        for name in re.findall(
            r"`((?:appliance|services|tests|bench)/[\w/.]+)`", text_of(document)
        ):
            assert (tree.ROOT / name).exists(), f"{document}: {name}"


def test_drawn_states_are_fresh() -> None:
    assert diagrams.DRAWN.read_text(encoding="utf-8") == diagrams.draw(), 'run "make diagrams"'
    assert len(list(diagrams.tables())) >= 3


def test_changelog_orders_what_changed_under_the_three_headings() -> None:
    headings = re.findall(r"^(##+ .*)", text_of("CHANGELOG.md"), re.MULTILINE)

    for release, following in pairwise(headings):
        if release.startswith("## "):
            assert following.startswith("### ")
    assert {name for name in headings if name.startswith("###")} <= {
        "### Security",
        "### Wire",
        "### API",
    }


def result_entries() -> list[tuple[str, str]]:
    """Return the heading and the text of each entry of bench/RESULTS.md."""
    _, *parts = re.split(r"^## ", text_of("bench/RESULTS.md"), flags=re.MULTILINE)
    entries = [part.partition("\n") for part in parts]
    return [(heading, text) for heading, _, text in entries if heading != WITHOUT_COMMAND]


def test_each_entry_of_the_results_has_its_date_command_and_machine() -> None:
    for heading, text in result_entries():
        assert RESULT_HEADING.fullmatch(heading), heading
        assert text.strip().startswith("Machine: "), heading


def test_each_benchmark_has_its_results() -> None:
    found = [RESULT_HEADING.fullmatch(heading) for heading, _ in result_entries()]

    assert {match[1] for match in found if match} == set(BENCHMARKS)
