"""One party of SPU's PSI: ``peers_spu.py RANK PROTOCOL PORT,PORT IN.csv OUT.csv``.

PROTOCOL is ECDH, RR22 or RR22_LOW_COMM, its mode of fewer bytes. Runs in an environment that has
SPU and nothing of ours. Rank 0 learns the intersection. Its time includes reading and writing CSV,
for SPU's interface offers nothing else.
"""

import sys

from spu import libspu, psi

PATIENCE_MS = 600_000


def main(rank: int, protocol: str, ports: str, source: str, target: str) -> None:
    """Run one party."""
    described = libspu.link.Desc()
    described.recv_timeout_ms = PATIENCE_MS
    for place, port in enumerate(ports.split(",")):
        described.add_party(f"party{place}", f"127.0.0.1:{port}")
    name, _, mode = protocol.partition("_")
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=psi.parse_protocol(f"PROTOCOL_{name}"),
            receiver_rank=0,
            broadcast_result=False,
            ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
            rr22_params=psi.Rr22Rarams(low_comm_mode=bool(mode)),  # its own spelling
        ),
        input_params=psi.InputParams(path=source, selected_keys=["id"], keys_unique=True),
        output_params=psi.OutputParams(path=target, disable_alignment=True),
    )
    link = libspu.link.create_brpc(described, rank)
    print("ready", flush=True)
    sys.stdin.readline()
    report = psi.psi_execute(config, link)
    print("done", int(report.intersection_count), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
