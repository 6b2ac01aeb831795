"""Who may do what: API keys, client secrets, page sessions."""
