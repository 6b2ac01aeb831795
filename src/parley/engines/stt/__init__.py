"""Speech recognition elsewhere. The keyless default lives in `engines.local`."""
