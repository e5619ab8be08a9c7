"""Predict PCRs 4, 7 and 11 of a machine from what it is going to boot, without booting it.

Source: PCR 11: UAPI group's Unified Kernel Image specification 1, "UKI TPM PCR Measurements", and
systemd's TPM2_PCR_MEASUREMENTS (systemd 257); PCRs 4 and 7: TCG PFP 1.06 §3.3.4.5, §3.3.4.8, as
EDK II does it. What other firmware does besides (an option ROM's key, "DMA Protection Disabled")
is told by :mod:`firmware.boot.explain` as a difference.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from firmware.boot.banks import Bank
from firmware.boot.pe import Image, Section, parse_image
from firmware.boot.secure_boot import SecureBootVariable, authority, measured
from firmware.boot.signature_lists import Signature
from firmware.errors import UnpredictableMeasurement

BOOT_LOADER_PCR: Final = 4
SECURE_BOOT_PCR: Final = 7
KERNEL_PCR: Final = 11

# The specification's canonical order. ``.pcrsig`` signs the outcome and so is not measured.
MEASURED_SECTIONS: Final = (
    ".linux",
    ".osrel",
    ".cmdline",
    ".initrd",
    ".ucode",
    ".splash",
    ".dtb",
    ".uname",
    ".sbat",
    ".pcrpkey",
    ".profile",
)
# What the stub takes of these depends on the machine that it runs on; and systemd-measure 257.13
# writes the names of ``.dtbauto`` and ``.hwids`` for each other.
UNPREDICTABLE_SECTIONS: Final = (".dtbauto", ".hwids", ".efifw")
# What systemd-pcrphase measures as the boot goes on, in order.
PHASES: Final = ("enter-initrd", "leave-initrd", "sysinit", "ready")

BOOT_ATTEMPT: Final = b"Calling EFI Application from Boot Option"
SEPARATOR: Final = bytes(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measurement to come: what is measured, in words, and its digest."""

    what: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """All measurements that will go into one PCR, in order."""

    pcr: int
    bank: Bank
    steps: tuple[Step, ...]

    @property
    def value(self) -> bytes:
        """The PCR's value after all steps."""
        return self.bank.extended(step.digest for step in self.steps)

    def then(self, what: str, data: bytes) -> "Prediction":
        """Return the prediction with one more measurement of some bytes."""
        step = Step(what=what, digest=self.bank.digest(data))
        return Prediction(pcr=self.pcr, bank=self.bank, steps=(*self.steps, step))


def predict_kernel(
    uki: bytes, bank: Bank, *, phases: Sequence[str] = (), profile: int = 0
) -> Prediction:
    """Return PCR 11 as systemd-stub measures a unified kernel image, and after some phases.

    phases:  those of :data:`PHASES` that the boot has reached; a disk is bound to the first
    profile: which of a multi-profile image's profiles is booted; the stub takes @0 by itself
    Raises:  MalformedInput if it is no PE image; UnpredictableMeasurement if it is no unified
             kernel image, or if what will be measured depends on the machine
    """
    image = parse_image(uki)
    sections = [(one.name, image.contents(one)) for one in chosen_sections(image, profile)]
    prediction = predict_sections(sections, bank)
    for phase in phases:
        if phase not in PHASES:
            raise UnpredictableMeasurement(
                f"{phase!r} is no phase of a boot", remedy="phases are " + ", ".join(PHASES)
            )
        prediction = prediction.then(f"phase {phase}", phase.encode())
    return prediction


def predict_sections(sections: Iterable[tuple[str, bytes]], bank: Bank) -> Prediction:
    """Return PCR 11 after sections given as names and contents, in whatever order.

    Names are of :data:`MEASURED_SECTIONS`; empty sections are not measured.
    """
    prediction = Prediction(pcr=KERNEL_PCR, bank=bank, steps=())
    present = (one for one in sections if one[1])
    ordered = sorted(present, key=lambda one: MEASURED_SECTIONS.index(one[0]))
    for name, contents in ordered:
        prediction = prediction.then(f"name of section {name}", name.encode() + b"\0")
        prediction = prediction.then(f"section {name}", contents)
    return prediction


def chosen_sections(image: Image, profile: int = 0) -> tuple[Section, ...]:
    """Return the sections that systemd-stub measures when it boots a profile.

    Those of the profile, and those before the first ``.profile`` that the profile does not have.
    To the stub, a section without a byte does not exist.
    """
    parts: list[list[Section]] = [[]]
    for section in image.sections:
        if section.name in UNPREDICTABLE_SECTIONS:
            raise UnpredictableMeasurement(
                f"how section {section.name} is measured depends on the machine",
                remedy=f"build the image without {section.name}",
            )
        if section.name == ".profile":
            parts.append([])
        if section.name in MEASURED_SECTIONS and section.memory_bytes:
            parts[-1].append(section)
    for part in parts:
        _require_once(part)
    general, *profiles = parts
    if (profile and profile >= len(profiles)) or profile < 0:
        raise UnpredictableMeasurement(f"the image has {len(profiles)} profiles, no @{profile}")
    special = profiles[profile] if profiles else []
    overridden = {section.name for section in special}
    chosen = [section for section in general if section.name not in overridden] + special
    if not any(section.name == ".linux" for section in chosen):
        raise UnpredictableMeasurement("the image has no .linux section: no unified kernel image")
    return tuple(chosen)


def _require_once(sections: Iterable[Section]) -> None:
    """Refuse a section that stands twice: loaders differ in which they take."""
    seen: set[str] = set()
    for section in sections:
        if section.name in seen:
            raise UnpredictableMeasurement(f"section {section.name} stands twice in a profile")
        seen.add(section.name)


def predict_boot_loaders(images: Mapping[str, bytes], bank: Bank) -> Prediction:
    """Return PCR 4 when the firmware's first boot option succeeds and loads images in order.

    images: what each is, in words, and the PE image as it lies on the disk, signed: the boot
            loader, the unified kernel image, and the kernel in it (:func:`inner_kernel`)
    """
    prediction = Prediction(pcr=BOOT_LOADER_PCR, bank=bank, steps=())
    prediction = prediction.then("attempt of the boot option", BOOT_ATTEMPT)
    prediction = prediction.then("separator", SEPARATOR)
    loaded = tuple(
        Step(what=what, digest=parse_image(data).authenticode(bank))
        for what, data in images.items()
    )
    return Prediction(pcr=BOOT_LOADER_PCR, bank=bank, steps=(*prediction.steps, *loaded))


def inner_kernel(uki: bytes, *, profile: int = 0) -> bytes:
    """Return the kernel in a unified kernel image, which the stub has the firmware load."""
    image = parse_image(uki)
    kernels = [one for one in chosen_sections(image, profile) if one.name == ".linux"]
    return image.contents(kernels[0])


def predict_secure_boot(
    variables: Mapping[SecureBootVariable, bytes | None],
    authorities: Sequence[Signature],
    bank: Bank,
) -> Prediction:
    """Return PCR 7: the Secure Boot variables, a separator, and who vouched for what was loaded.

    variables:   the value of each, None for one that does not exist; ``dbt`` and ``dbr`` are
                 measured only if they exist
    authorities: the entries of ``db`` that verified an image, in order; each counts once
    Raises:      UnpredictableMeasurement if a variable that is always measured is not given
    """
    prediction = Prediction(pcr=SECURE_BOOT_PCR, bank=bank, steps=())
    for variable in SecureBootVariable:
        if variable not in variables and variable.is_always_measured:
            raise UnpredictableMeasurement(f"the value of {variable.label} is not given")
        value = variables.get(variable)
        if value is not None or variable.is_always_measured:
            encoded = measured(variable, value or b"").encoded()
            prediction = prediction.then(f"variable {variable.label}", encoded)
    prediction = prediction.then("separator", SEPARATOR)
    for signature in _distinct(authorities):
        entry = authority(signature).encoded()
        prediction = prediction.then("authority of a loaded image", entry)
    return prediction


def _distinct(signatures: Iterable[Signature]) -> Iterator[Signature]:
    """Yield each entry at its first place: firmware measures an authority once in a boot."""
    return iter(dict.fromkeys(signatures))
