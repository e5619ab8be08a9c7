"""Measured and verified boot: what the firmware and the boot loaders tell the TPM, and why."""
