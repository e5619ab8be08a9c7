"""What parties compute together. Knows no machine, database, clock or HTTP.

The papers that docstrings cite:

[Mea86]    C. Meadows, "A more efficient cryptographic matchmaking protocol for use in the absence
           of a continuously available third party", IEEE S&P 1986.
[HFH99]    B. Huberman, M. Franklin, T. Hogg, "Enhancing privacy and trust in electronic
           communities", ACM EC 1999.
[RFC7748]  "Elliptic curves for security", 2016.
[RFC9380]  "Hashing to elliptic curves", 2023.
[RFC9496]  "The ristretto255 and decaf448 groups", 2023.
[RFC9497]  "Oblivious pseudorandom functions (OPRFs) using prime-order groups", 2023.
"""
