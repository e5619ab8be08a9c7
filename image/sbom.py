"""Bills of materials: what an image is made of, in CycloneDX 1.6 and SPDX 2.3, both as JSON.

Both depend on the image alone: the same image has the same two files, byte for byte.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model import component as cyclonedx_component
from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.package import (
    ExternalPackageRef,
    ExternalPackageRefCategory,
    Package,
)
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from image.components import Component, Kind
from image.errors import ImageError

_NAMESPACE: Final = uuid.UUID("c0ffe2b0-0000-5000-8000-0000000005b0")
_URI: Final = "https://coffer.invalid/spdx"
_TYPES: Final = {
    Kind.DEBIAN: cyclonedx_component.ComponentType.LIBRARY,
    Kind.PYTHON: cyclonedx_component.ComponentType.LIBRARY,
    Kind.NATIVE: cyclonedx_component.ComponentType.LIBRARY,
    Kind.COFFER: cyclonedx_component.ComponentType.APPLICATION,
}


def cyclonedx(version: str, made_at: datetime, components: Sequence[Component]) -> str:
    """Return the image's bill of materials in CycloneDX 1.6."""
    bom = Bom(serial_number=_serial(version, components))
    bom.metadata.timestamp = made_at
    image = cyclonedx_component.Component(
        type=cyclonedx_component.ComponentType.OPERATING_SYSTEM,
        name="coffer-image",
        version=version,
        bom_ref="image",
    )
    bom.metadata.component = image
    made = {one.reference: _cyclonedx_component(one) for one in components}
    for one in components:
        if one.part_of:
            made[one.part_of].components.add(made[one.reference])
        else:
            bom.components.add(made[one.reference])
    bom.register_dependency(image, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _cyclonedx_component(one: Component) -> cyclonedx_component.Component:
    licences = LicenseFactory()
    kind = _TYPES[one.kind]
    if one.name.startswith("linux-image-"):
        kind = cyclonedx_component.ComponentType.OPERATING_SYSTEM
    return cyclonedx_component.Component(
        type=kind,
        name=one.name,
        version=one.version,
        bom_ref=one.reference,
        purl=PackageURL.from_string(one.url),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.sha256)],
        # Names of licences may stand beside one another, expressions may not.
        licenses=[licences.make_with_name(name) for name in one.licences],
        properties=[Property(name="coffer:in", value=name) for name in one.sets],
    )


def spdx_json(version: str, made_at: datetime, components: Sequence[Component]) -> str:
    """Return the image's bill of materials in SPDX 2.3.

    Raises: ImageError if it would break a rule of SPDX.
    """
    document = Document(
        creation_info=CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=f"coffer-image-{version}",
            document_namespace=f"{_URI}/{_serial(version, components)}",
            creators=[Actor(ActorType.TOOL, "coffer-image")],
            created=made_at.replace(tzinfo=None),
        ),
        packages=[_spdx_package(one) for one in components],
        relationships=_relationships(components),
    )
    faults = validate_full_spdx_document(document)
    if faults:
        raise ImageError(
            f"the bill of materials breaks a rule of SPDX: {faults[0].validation_message}",
            "mend image/sbom.py",
        )
    held = DocumentConverter().convert(document)  # type: ignore[no-untyped-call] # its own
    return json.dumps(held, indent=1, sort_keys=True) + "\n"


def _spdx_package(one: Component) -> Package:
    return Package(
        spdx_id=_spdx_id(one.reference),
        name=one.name,
        version=one.version,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, one.sha256)],
        license_concluded=SpdxNoAssertion(),
        license_declared=SpdxNoAssertion(),
        # Authors' own words: what Debian and others write is no SPDX expression throughout.
        license_comment="; ".join(one.licences) or None,
        copyright_text=SpdxNoAssertion(),
        external_references=[
            ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", one.url)
        ],
    )


def _relationships(components: Iterable[Component]) -> list[Relationship]:
    links = []
    for one in components:
        kind = RelationshipType.CONTAINS if one.part_of else RelationshipType.DESCRIBES
        source = _spdx_id(one.part_of) if one.part_of else "SPDXRef-DOCUMENT"
        links.append(Relationship(source, kind, _spdx_id(one.reference)))
    return links


def _spdx_id(reference: str) -> str:
    """Return a reference with the characters that SPDX allows; others as their numbers."""
    allowed = (
        mark if mark.isascii() and (mark.isalnum() or mark in ".-") else f"-{ord(mark):x}-"
        for mark in reference
    )
    return f"SPDXRef-{''.join(allowed)}"


def _serial(version: str, components: Iterable[Component]) -> uuid.UUID:
    content = "\n".join(f"{one.reference} {one.version} {one.sha256}" for one in components)
    return uuid.uuid5(_NAMESPACE, f"{version}\n{content}")
