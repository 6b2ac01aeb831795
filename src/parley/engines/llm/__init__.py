"""Chat models elsewhere. The keyless default lives in `engines.local`."""
