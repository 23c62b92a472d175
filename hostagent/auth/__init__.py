"""Who may log in: PAM behind a small privileged helper."""
