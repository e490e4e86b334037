"""How the service is observed: logs, metrics and traces, which observe the same steps."""
