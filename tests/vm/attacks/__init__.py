"""What whoever holds the disk, the firmware or the host can try; each case costs a start."""
