"""What computes: voice activity, recognition, chat, speech. Roles in `base`, choice in `catalog`."""
