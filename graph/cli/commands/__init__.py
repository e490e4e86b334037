"""The commands: each module has its command, or its group of commands, as `app`.

All modules are imported for the help, so that each imports where it is used what takes long to import.
"""
