"""Adds: the plan, the documents and the checks of one."""
