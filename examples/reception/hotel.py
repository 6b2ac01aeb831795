def free_rooms(nights: int = 1) -> str:
    """Say which rooms are free.

    Args:
        nights: how many nights the guest stays
    """
    return f"Room 4, with a view of the harbour, {90 * nights} euros."
