"""The commands, one file each; every file holds its ``command``."""
