"""Who may see and do what, and how much a query may cost."""
