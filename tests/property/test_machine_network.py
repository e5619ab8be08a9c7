"""Whatever is accepted as a network plan, nothing but its values gets into networkd's files."""

import json
import re

from hypothesis import example, given
from hypothesis import strategies as st

from appliance.machine.errors import OrderRefused
from appliance.machine.network import files_of
from appliance.machine.orders import parse_order

LINE = re.compile(
    r"|\[(Match|Network|Link|DHCPv4)\]"
    r"|Name=[a-z][a-z0-9_-]{0,14}"
    r"|DHCP=(no|yes|ipv4|ipv6)|IPv6AcceptRA=(no|yes)|IPv6PrivacyExtensions=no"
    r"|LLMNR=no|MulticastDNS=no|UseHostname=no|ClientIdentifier=mac"
    r"|Address=[0-9a-f.:]+/[0-9]{1,3}|(Gateway|DNS)=[0-9a-f.:]+"
    r"|Domains=[a-z0-9. -]+|MTUBytes=[0-9]{4}"
)

addresses = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses().map(lambda one: f"{one}/24"),
    st.tuples(st.ip_addresses(v=6), st.text(max_size=8)).map(lambda two: f"{two[0]}%{two[1]}"),
    st.text(max_size=24),
)
names = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.text(max_size=12),
    st.just("e0\n[Match]"),
)


@given(
    name=names,
    dhcp=st.sampled_from(["no", "yes", "ipv4", "ipv6", "yes\nDNS=192.0.2.1"]),
    values=st.lists(addresses, max_size=3),
    gateways=st.lists(addresses, max_size=2),
    dns=st.lists(addresses, max_size=2),
    domains=st.lists(names, max_size=2),
)
@example(
    name="e0",
    dhcp="yes",
    values=[],
    gateways=["fe80::1%a\nDNS=192.0.2.1"],
    dns=["fe80::1"],
    domains=["example"],
)
@example(name="e0", dhcp="yes", values=["192.0.2.7/24"], gateways=[], dns=[], domains=["a"])
def test_a_plan_brings_no_line_of_its_own(
    name: str,
    dhcp: str,
    values: list[str],
    gateways: list[str],
    dns: list[str],
    domains: list[str],
) -> None:
    interface = {"name": name, "dhcp": dhcp, "addresses": values, "gateways": gateways}
    interface |= {"dns": dns, "domains": domains}
    asked = {"kind": "set-network", "plan": {"interfaces": [interface]}}
    try:
        plan = parse_order(json.dumps(asked).encode()).plan
    except OrderRefused as error:
        assert len(error.what) < 500
        return

    for file, text in files_of(plan).items():
        assert re.fullmatch(r"70-coffer-[a-z][a-z0-9_-]{0,14}\.network", file)
        assert [line for line in text.split("\n") if not LINE.fullmatch(line)] == []
