"""One party of SPU's PSI: ``peers_spu.py RANK ECDH|RR22 PORT,PORT IN.csv OUT.csv``.

Runs in an environment that has SPU and nothing of ours. Rank 0 learns the intersection. Its time
includes reading and writing CSV, for SPU's interface offers nothing else.
"""

import sys

from spu import libspu, psi


def main(rank: int, protocol: str, ports: str, source: str, target: str) -> int:
    """Run one party; return how many rows the result has."""
    described = libspu.link.Desc()
    for place, port in enumerate(ports.split(",")):
        described.add_party(f"party{place}", f"127.0.0.1:{port}")
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=psi.parse_protocol(f"PROTOCOL_{protocol}"),
            receiver_rank=0,
            broadcast_result=False,
            ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        ),
        input_params=psi.InputParams(path=source, selected_keys=["id"], keys_unique=True),
        output_params=psi.OutputParams(path=target, disable_alignment=True),
    )
    link = libspu.link.create_brpc(described, rank)
    print("ready", flush=True)
    sys.stdin.readline()
    report = psi.psi_execute(config, link)
    return int(report.intersection_count)


if __name__ == "__main__":
    print("done", main(int(sys.argv[1]), *sys.argv[2:]), flush=True)
    sys.stdin.read()
