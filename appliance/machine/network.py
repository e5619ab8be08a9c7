"""The network as the operator wants it: checked values, and the files that systemd-networkd reads.

Pure. Nothing that is not an address, a name or a number of ours gets into a file.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Annotated, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

FILE_PREFIX: Final = "70-coffer-"
"""Read before the image's own 80-wired.network, so that it decides for the interfaces it names."""

Address: TypeAlias = IPv4Address | IPv6Address
AddressWithNetwork: TypeAlias = IPv4Interface | IPv6Interface
AnyAddress = TypeVar("AnyAddress", Address, AddressWithNetwork)


def _has_no_scope(address: AnyAddress) -> AnyAddress:
    """Refuse an address that names an interface: Python lets any text stand there."""
    if getattr(address, "scope_id", None) is not None:
        raise ValueError("write the address without %")
    return address


_NO_SCOPE: Final = AfterValidator(_has_no_scope)

InterfaceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,14}$")]
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HostName = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=64)]
DomainName = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Interface(_Value):
    """One network card. dhcp: for which families the network itself is asked for addresses.

    mtu_bytes: None leaves it to the card and the network.
    """

    name: InterfaceName
    dhcp: Literal["no", "ipv4", "ipv6", "yes"] = "no"
    addresses: tuple[Annotated[AddressWithNetwork, _NO_SCOPE], ...] = Field(
        default=(), max_length=16
    )
    gateways: tuple[Annotated[Address, _NO_SCOPE], ...] = Field(default=(), max_length=2)
    dns: tuple[Annotated[Address, _NO_SCOPE], ...] = Field(default=(), max_length=8)
    domains: tuple[DomainName, ...] = Field(default=(), max_length=8)
    mtu_bytes: int | None = Field(default=None, ge=1280, le=9216)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.name == "lo":
            raise ValueError("lo is no network card")
        if self.dhcp == "no" and not self.addresses:
            raise ValueError(f"{self.name} needs an address or DHCP")
        for address in self.addresses:
            _require_usable(address)
        for gateway in self.gateways:
            self._require_reachable(gateway)
        if len({gateway.version for gateway in self.gateways}) != len(self.gateways):
            raise ValueError(f"{self.name} can have one gateway for IPv4 and one for IPv6")
        for server in self.dns:
            if server.is_multicast or server.is_unspecified:
                raise ValueError(f"{server} cannot be a DNS server")
        return self

    def _require_reachable(self, gateway: Address) -> None:
        near = any(
            gateway.version == own.version and gateway in own.network and gateway != own.ip
            for own in self.addresses
        )
        if not near and not (gateway.version == 6 and gateway.is_link_local):
            raise ValueError(f"the gateway {gateway} is in no network of {self.name}'s addresses")


class NetworkPlan(_Value):
    """All interfaces that the operator has set; the others are asked for nothing but DHCP.

    node_name: the machine's own name in the network; None leaves the image's.
    """

    node_name: HostName | None = None
    interfaces: tuple[Interface, ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [one.name for one in self.interfaces]
        if len(set(names)) != len(names):
            raise ValueError("an interface is named twice")
        if self.node_name is not None and self.node_name.split(".")[0] == "localhost":
            raise ValueError("localhost names every machine")
        return self


def files_of(plan: NetworkPlan) -> dict[str, str]:
    """Return the files that make systemd-networkd follow a plan, by name [systemd.network(5)]."""
    return {f"{FILE_PREFIX}{one.name}.network": _file(one) for one in plan.interfaces}


def _file(one: Interface) -> str:
    is_ipv6_given = one.dhcp in ("ipv6", "yes")
    lines = ["[Match]", f"Name={one.name}", "", "[Network]", f"DHCP={one.dhcp}"]
    lines += [f"IPv6AcceptRA={'yes' if is_ipv6_given else 'no'}"]
    lines += ["IPv6PrivacyExtensions=no", "LLMNR=no", "MulticastDNS=no"]
    lines += [f"Address={address.with_prefixlen}" for address in one.addresses]
    lines += [f"Gateway={gateway}" for gateway in one.gateways]
    lines += [f"DNS={server}" for server in one.dns]
    lines += [f"Domains={' '.join(one.domains)}"] if one.domains else []
    lines += ["", "[Link]", f"MTUBytes={one.mtu_bytes}"] if one.mtu_bytes else []
    lines += ["", "[DHCPv4]", "UseHostname=no", "ClientIdentifier=mac", ""]
    return "\n".join(lines)


def _require_usable(address: AddressWithNetwork) -> None:
    ip, network = address.ip, address.network
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified:
        raise ValueError(f"{ip} cannot be a machine's address")
    if network.prefixlen == 0:
        raise ValueError(f"{address} has no network: write it with its prefix, as in 192.0.2.7/24")
    has_edges = ip.version == 4 and network.prefixlen < 31
    if has_edges and ip in (network.network_address, network.broadcast_address):
        raise ValueError(f"{address} is the network itself or its broadcast address")
