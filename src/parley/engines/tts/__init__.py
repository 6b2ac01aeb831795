"""Speech synthesis elsewhere. The keyless default lives in `engines.local`."""
