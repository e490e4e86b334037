"""The commands: each module has its command, or its group of commands, as `app`.

All modules are imported for the help. So a library that takes long to import is imported in
the function that uses it.
"""
