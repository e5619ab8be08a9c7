"""What parties compute together. Knows no machine, database, clock or HTTP.

The papers that docstrings cite:

[Mea86]    C. Meadows, "A more efficient cryptographic matchmaking protocol for use in the absence
           of a continuously available third party", IEEE S&P 1986.
[HFH99]    B. Huberman, M. Franklin, T. Hogg, "Enhancing privacy and trust in electronic
           communities", ACM EC 1999.
[RFC7748]  "Elliptic curves for security", 2016.
[Ber08]    D. Bernstein, "ChaCha, a variant of Salsa20", SASC 2008.
[RS21]     P. Rindal, P. Schoppmann, "VOLE-PSI: fast OPRF and circuit-PSI from vector-OLE",
           EUROCRYPT 2021.
[RR22]     S. Raghuraman, P. Rindal, "Blazing fast PSI from improved OKVS and subfield VOLE",
           ACM CCS 2022; section numbers are those of eprint 2022/320.
[RFC7693]  "The BLAKE2 cryptographic hash and message authentication code (MAC)", 2015.
[RFC9380]  "Hashing to elliptic curves", 2023.
[RFC9496]  "The ristretto255 and decaf448 groups", 2023.
[RFC9497]  "Oblivious pseudorandom functions (OPRFs) using prime-order groups", 2023.
"""
