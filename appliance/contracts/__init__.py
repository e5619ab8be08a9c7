"""Contracts: what parties agree to compute, as canonical bytes that each of them signs."""
