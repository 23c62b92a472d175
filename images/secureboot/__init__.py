"""Programs that firmware with Secure Boot starts: made of what a build has, and signed with the user's key."""
