"""The deployment, for its operators."""
