"""The agent and its runtime on ARM without any: aarch64 programs under QEMU's user mode."""
