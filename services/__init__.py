"""What parties compute together. Knows no machine, database, clock or HTTP.

The papers that docstrings cite:

[Mea86]    C. Meadows, "A more efficient cryptographic matchmaking protocol for use in the absence
           of a continuously available third party", IEEE S&P 1986.
[HFH99]    B. Huberman, M. Franklin, T. Hogg, "Enhancing privacy and trust in electronic
           communities", ACM EC 1999.
[GRS09]    A. Ghosh, T. Roughgarden, M. Sundararajan, "Universally utility-maximizing privacy
           mechanisms", STOC 2009.
[ALSZ13]   G. Asharov, Y. Lindell, T. Schneider, M. Zohner, "More efficient oblivious transfer and
           extensions for faster secure computation", CCS 2013.
[IKN20]    M. Ion, B. Kreuter, A. Nergiz, S. Patel, S. Saxena, K. Seth, M. Raykova, D. Shanahan,
           M. Yung, "On deploying secure computation: private intersection-sum-with-cardinality",
           IEEE EuroS&P 2020.
[CKS20]    C. Canonne, G. Kamath, T. Steinke, "The discrete Gaussian for differential privacy",
           NeurIPS 2020.
[MPRSY20]  P. Miao, S. Patel, M. Raykova, K. Seth, M. Yung, "Two-sided malicious security for
           private intersection-sum with cardinality", CRYPTO 2020.
[RFC7748]  "Elliptic curves for security", 2016.
[Ber08]    D. Bernstein, "ChaCha, a variant of Salsa20", SASC 2008.
[RS21]     P. Rindal, P. Schoppmann, "VOLE-PSI: fast OPRF and circuit-PSI from vector-OLE",
           EUROCRYPT 2021.
[RR22]     S. Raghuraman, P. Rindal, "Blazing fast PSI from improved OKVS and subfield VOLE",
           ACM CCS 2022; section numbers are those of eprint 2022/320.
[RFC7693]  "The BLAKE2 cryptographic hash and message authentication code (MAC)", 2015.
[GGM86]    O. Goldreich, S. Goldwasser, S. Micali, "How to construct random functions",
           Journal of the ACM 33(4), 1986.
[FS86]     A. Fiat, A. Shamir, "How to prove yourself", CRYPTO 1986.
[BP12]     J. Boyar, R. Peralta, "A small depth-16 circuit for the AES S-box", SEC 2012.
[KOS16]    M. Keller, E. Orsini, P. Scholl, "MASCOT: faster malicious arithmetic secure
           computation with oblivious transfer", CCS 2016.
[BCGI18]   E. Boyle, G. Couteau, N. Gilboa, Y. Ishai, "Compressing vector OLE", CCS 2018.
[MR19]     D. Masny, P. Rindal, "Endemic oblivious transfer", CCS 2019.
[Lem19]    D. Lemire, "Fast random integer generation in an interval", ACM Transactions on
           Modeling and Computer Simulation 29(1), 2019.
[GKWY20]   C. Guo, J. Katz, X. Wang, Y. Yu, "Efficient and secure multiparty computation from
           fixed-key block ciphers", IEEE S&P 2020.
[CRR21]    G. Couteau, P. Rindal, S. Raghuraman, "Silver: silent VOLE and oblivious transfer from
           hardness of decoding structured LDPC codes", CRYPTO 2021.
[WYKW21]   C. Weng, K. Yang, J. Katz, X. Wang, "Wolverine: fast, scalable, and communication-
           efficient zero-knowledge proofs for Boolean and arithmetic circuits", IEEE S&P 2021.
[Roy22]    L. Roy, "SoftSpokenOT: quieter OT extension from small-field silent VOLE in the
           minicrypt model", CRYPTO 2022.
[BO23]     P. Briaud, M. Øygarden, "A new algebraic approach to the regular syndrome decoding
           problem and implications for PCG constructions", EUROCRYPT 2023.
[RRT23]    S. Raghuraman, P. Rindal, T. Tanguy, "Expand-convolute codes for pseudorandom
           correlation generators from LPN", CRYPTO 2023.
[ESB24]    A. Esser, P. Santini, "Not just regular decoding: asymptotics and improvements of
           regular syndrome decoding attacks", CRYPTO 2024.
[LWYY24]   H. Liu, X. Wang, K. Yang, Y. Yu, "The hardness of LPN over any integer ring and field
           for PCG applications", EUROCRYPT 2024.
[FIPS197]  "Advanced Encryption Standard (AES)", 2001, updated 2023.
[RFC9380]  "Hashing to elliptic curves", 2023.
[RFC9496]  "The ristretto255 and decaf448 groups", 2023.
[RFC9497]  "Oblivious pseudorandom functions (OPRFs) using prime-order groups", 2023.
"""
